# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened between two looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .answers import OVERLAY, VCPU_INFO, Answers

# A version is odd while it is written to, so an update is two steps.
STEPS_PER_UPDATE = 2


@dataclass(frozen=True)
class Rates:
    """Events per second over `seconds`; time_updates of all vCPUs."""

    seconds: float
    maps: float
    registrations: float
    time_updates: float


def rates(before: Answers, after: Answers, seconds: float) -> Rates:
    """Both have the three answers, of an enabled overlay."""
    def counted(name: str) -> float:
        return (after[OVERLAY]['stats'][name]
                - before[OVERLAY]['stats'][name]) / seconds

    steps = sum(clock_steps(before, vcpu) for vcpu in after[VCPU_INFO])
    return Rates(seconds, counted('maps'), counted('registrations'),
                 steps / STEPS_PER_UPDATE / seconds)


def clock_steps(before: Answers, vcpu: Mapping[str, Any]) -> int:
    """By how much the version of a vCPU's clock changed since `before`.

    Where nothing can be said it is 0: the vCPU is new, or its vcpu_info is
    at another place, whose version has another past.
    """
    for old in before[VCPU_INFO]:
        if old['cpu-index'] == vcpu['cpu-index']:
            break
    else:
        return 0
    if not ('time' in old and 'time' in vcpu
            and old['source'] == vcpu['source']
            and old.get('gpa') == vcpu.get('gpa')):
        return 0
    was, now = old['time']['version'], vcpu['time']['version']
    # After a reset versions start again from 0; they take years to wrap.
    return now - was if now >= was else now
