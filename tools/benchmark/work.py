# SPDX-License-Identifier: GPL-2.0-or-later
"""All that an emulator's threads do, by the host kernel's account."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterable, Iterator

from .guest import Guest

# For what is still going on after a guest's last word.
SETTLED_AFTER = 0.01
# The main loop wakes up twice in a period of the PIT's, whose output changes
# (27.5 ms). That takes as much as what is looked for: it must be in between.
TICK_WITHIN = 0.1
LOOK_EVERY = 0.001

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


def _by(guest: Guest, threads: str) -> int:
    tasks = Path('/proc') / str(guest.machine.get_pid()) / 'task'
    return total(file.read_text() for file in
                 tasks.glob(f'{threads}/schedstat'))


def _wait_for_tick(guest: Guest) -> None:
    """Where none comes, none is in the way either."""
    main = str(guest.machine.get_pid())
    before = _by(guest, main)
    end = time.monotonic() + TICK_WITHIN
    while _by(guest, main) == before and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    time.sleep(LOOK_EVERY)


def work_of(guest: Guest, act: Callable[[], object]) -> int:
    """What `act` makes them do, from a halted guest to a halted guest:
    nanoseconds, which are instructions where the clock counts these."""
    time.sleep(SETTLED_AFTER)
    _wait_for_tick(guest)
    before = _by(guest, '*')
    act()
    time.sleep(SETTLED_AFTER)
    return _by(guest, '*') - before
