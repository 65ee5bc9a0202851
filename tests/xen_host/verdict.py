# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run came to: the guest's words, and how its domain ended."""

import re
from dataclasses import dataclass

# As meson and automake take a test's status.
STATUS = {'PASS': 0, 'FAIL': 1, 'SKIP': 77, 'ERROR': 99}
# As a shell has it for a program that aborted.
STATUS_CRASHED = 134

# xen/include/public/sched.h: SHUTDOWN_*
SHUTDOWN = {0: 'powered off', 1: 'rebooted', 2: 'suspended', 3: 'crashed',
            4: 'was ended by its watchdog', 5: 'asked for a soft reset'}
POWEROFF = 0
# A bare-metal guest has no other way to reboot.
REBOOT = 1


@dataclass(frozen=True)
class Verdict:
    """An exit status, and if it needs one an explanation."""
    status: int
    explanation: str = ''


def judge(text: str, reason: int) -> Verdict:
    """From what the guest wrote and why Xen says its domain shut down."""
    found = re.findall(r'^VERDICT: (PASS|FAIL|SKIP|ERROR)\b', text, re.M)
    how = SHUTDOWN.get(reason, f'shut down for reason {reason}')
    if reason == REBOOT:
        how += ' (a triple fault does that)'
    if reason != POWEROFF:
        return Verdict(STATUS_CRASHED, f'the guest {how}')
    if not found:
        return Verdict(STATUS_CRASHED, f'the guest {how} without a verdict')
    return Verdict(STATUS[found[-1]])
