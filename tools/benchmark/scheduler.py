# SPDX-License-Identifier: GPL-2.0-or-later
"""The scheduler of the host that the emulator runs on."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

FEATURES = Path('/sys/kernel/debug/sched/features')
PREEMPTION = 'WAKEUP_PREEMPTION'


@contextmanager
def no_wakeup_preemption() -> Iterator[None]:
    """Let a thread that wakes another one stay on the CPU until it sleeps.

    Else the scheduler's account of the two decides, from one time to the next,
    whether a vCPU that sends an event loses the host's one CPU to whoever hears
    it: a halt and a wakeup more or less.  With a CPU for each it never does."""
    FEATURES.write_text(f'NO_{PREEMPTION}')
    try:
        yield
    finally:
        FEATURES.write_text(PREEMPTION)
