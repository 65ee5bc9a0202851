# SPDX-License-Identifier: GPL-2.0-or-later
"""Time on the host that the emulator runs on, by its kernel's own clocks."""

from __future__ import annotations

import re
import time
from pathlib import Path

TRACEFS = Path('/sys/kernel/tracing')
EXEC = 'sched/sched_process_exec'
ENTRY = 'kvm/kvm_entry'


def now() -> int:
    """Nanoseconds: instructions, where the clock counts these."""
    return time.monotonic_ns()


class FirstEntry:
    """From the emulator's exec() to the first instruction of its guest.

    While it is entered, the first emulator that starts is looked at.
    """

    def __enter__(self) -> 'FirstEntry':
        _write('tracing_on', '0')
        _write('trace_clock', 'mono')
        # What is first is kept, and the rest costs nothing much.
        _write('options/overwrite', '0')
        _write('buffer_size_kb', '64')
        _write('trace', '')
        for event in EXEC, ENTRY:
            _write(f'events/{event}/enable', '1')
        _write('tracing_on', '1')
        return self

    def __exit__(self, *_error: object) -> None:
        _write('tracing_on', '0')
        for event in EXEC, ENTRY:
            _write(f'events/{event}/enable', '0')

    def nanoseconds(self) -> float:
        """How long it took."""
        return first_entry((TRACEFS / 'trace').read_text())


def _write(name: str, text: str) -> None:
    (TRACEFS / name).write_text(text)


def first_entry(trace: str) -> float:
    """Nanoseconds from the last exec() before the first entry to that."""
    started = None
    for stamp, event in re.findall(r' ([\d.]+): (\w+): ', trace):
        if event == EXEC.split('/')[1]:
            started = float(stamp)
        elif event == ENTRY.split('/')[1] and started is not None:
            return round((float(stamp) - started) * 1e9)
    raise ValueError(f'no entry into a guest after an exec() in: {trace}')
