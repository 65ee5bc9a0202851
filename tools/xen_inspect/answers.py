# SPDX-License-Identifier: GPL-2.0-or-later
"""What is looked at: QMP's answers, each under its command's name."""

from __future__ import annotations

from typing import Any, Mapping

# Members: what the commands return (qapi/xen-overlay-target.json), and
# HOST_CLOCK, seconds since 1970 on this machine, taken after the others.
# NAME, STATUS and HOST_CLOCK may be absent; if the overlay is not enabled,
# so may SHARED_INFO and VCPU_INFO.
Answers = Mapping[str, Any]

OVERLAY = 'query-xen-overlay'
SHARED_INFO = 'query-xen-shared-info'
VCPU_INFO = 'query-xen-vcpu-info'
NAME = 'query-name'
STATUS = 'query-status'
HOST_CLOCK = 'host-clock'


class UnknownAnswer(Exception):
    """An answer is not as the schema has it."""
