# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's time of day, as far as it can be known from outside.

A guest adds to the wallclock its vCPU's system time, and the system time to
the time that its time stamp counter ran since the vCPU's last clock update.
That counter cannot be read from here, so the age of an update is not known:
the guest's time of day is known for the moment of the update only.  It is
later than that by now, by an unknown amount, unless the guest is stopped.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Iterable, Mapping

NANO = 10 ** 9
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def wallclock_ns(wallclock: Mapping[str, Any]) -> int | None:
    """Nanoseconds since 1970 at system time 0; None if it was never set."""
    if not wallclock['version']:
        return None
    return wallclock['seconds'] * NANO + wallclock['nanoseconds']


def latest_update(vcpus: Iterable[Mapping[str, Any]]
                  ) -> Mapping[str, Any] | None:
    """The vCPU whose clock was updated last.

    All count from the same moment, so it is the one with the most system
    time.  None if no clock was ever updated.
    """
    updated = [vcpu for vcpu in vcpus if 'time' in vcpu
               and vcpu['time']['version']]
    return max(updated, key=lambda vcpu: vcpu['time']['system-time'],
               default=None)


def frequency_mhz(time: Mapping[str, Any]) -> float | None:
    """The time stamp counter's frequency, as the guest is told it.

    ns = (ticks << shift) * mul / 2^32; a negative shift is to the right.
    """
    if not time['tsc-to-system-mul']:
        return None
    return (1000 * 2.0 ** 32 / time['tsc-to-system-mul']
            / 2.0 ** time['tsc-shift'])


def utc(nanoseconds: int) -> str:
    """A time of day for people.

    The guest can write to its wallclock: it may be any number.
    """
    try:
        time = EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return f'{nanoseconds // NANO} s after 1970'
    return time.strftime('%Y-%m-%d %H:%M:%S.%f UTC')


def compare(guest_ns: int, host_ns: int, running: bool,
            age_limit: float | None) -> str:
    """What the guest's clock at its last update says beside the host's now.

    age_limit: seconds that the update is old at most, if that is known.
    """
    behind = (host_ns - guest_ns) / NANO
    if age_limit is not None:
        # Its clock shows now what it was set to, and at most the age more.
        return (f'guest between {_offset(behind)} and '
                f'{_offset(behind - age_limit)}')
    if behind < 0:
        return f'guest at least {_offset(behind)}'
    if not running:
        return f'guest at most {_offset(behind)}; it is stopped'
    return f'guest at most {_offset(behind)} (the update\'s age is unknown)'


def _offset(behind: float) -> str:
    return f'{_span(abs(behind))} {"ahead" if behind < 0 else "behind"}'


def _span(seconds: float) -> str:
    if seconds < 1:
        return f'{seconds * 1000:.3f} ms'
    return f'{seconds:.3f} s'
