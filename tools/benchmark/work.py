# SPDX-License-Identifier: GPL-2.0-or-later
"""All that an emulator's threads do, by the host kernel's account."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator

from .guest import Guest

# For what is still going on after a guest's last word.
SETTLED_AFTER = 0.05


# For so long a vCPU that halts looks for a reason not to.
POLLING = Path('/sys/module/kvm/parameters/halt_poll_ns')


@contextmanager
def only_work() -> Iterator[None]:
    """Let vCPUs that halt sleep at once: what they do until then, and for
    how long, would be in the account as well."""
    before = POLLING.read_text()
    POLLING.write_text('0')
    try:
        yield
    finally:
        POLLING.write_text(before)


def total(schedstats: Iterable[str]) -> int:
    """Nanoseconds on a CPU, of threads by their schedstat."""
    return sum(int(text.split()[0]) for text in schedstats)


def _now(guest: Guest) -> int:
    time.sleep(SETTLED_AFTER)
    tasks = Path('/proc') / str(guest.machine.get_pid()) / 'task'
    return total(file.read_text() for file in tasks.glob('*/schedstat'))


def of_command(guest: Guest, command: str) -> int:
    """What one makes them do, from a halted guest to a halted guest:
    nanoseconds, which are instructions where the clock counts these."""
    before = _now(guest)
    guest.told(command)
    return _now(guest) - before
