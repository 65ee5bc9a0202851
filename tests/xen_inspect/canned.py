# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers as QEMU gives them; each test changes what it is about."""

from __future__ import annotations

from typing import Any

from xen_inspect import OVERLAY, SHARED_INFO, VCPU_INFO

BOOTED = 1_795_370_319      # 2026-11-22 17:58:39 UTC


def vcpu(index: int, **members: Any) -> dict[str, Any]:
    """A vCPU with a vcpu_info of its own.  None: without that member."""
    result = {
        'cpu-index': index, 'vcpu-id': index, 'source': 'registered',
        'gpa': 0x1f234f00 + index * 0x100000, 'upcall-pending': False,
        'upcall-mask': False, 'pending-sel': 0, 'time': clock(),
        'upcall-vector': 0}
    result.update({name.replace('_', '-'): value
                   for name, value in members.items()})
    return {name: value for name, value in result.items()
            if value is not None}


def nowhere(index: int) -> dict[str, Any]:
    """A vCPU without a vcpu_info."""
    return vcpu(index, source='none', gpa=None, upcall_pending=None,
                upcall_mask=None, pending_sel=None, time=None)


def clock(version: int = 6, system_time: int = 70_558_941,
          shift: int = 1, mul: int = 1 << 31) -> dict[str, int]:
    """A vCPU's clock; of 1000 MHz unless told otherwise."""
    return {'version': version, 'tsc-timestamp': 70_551_962,
            'system-time': system_time, 'tsc-to-system-mul': mul,
            'tsc-shift': shift, 'flags': 1}


def answers() -> dict[str, Any]:
    """Of a 64-bit guest with two vCPUs on Linux 6.9 or later."""
    return {
        'query-name': {'name': 'guest-1'},
        'query-status': {'status': 'running', 'running': True},
        OVERLAY: {
            'enabled': True, 'broken': False, 'shared-info-backend': 'hva',
            'default-vcpu-info-backend': 'hva',
            'capabilities': ['hypercall-msr', 'intercept-hcall',
                             'shared-info', 'runstate', 'evtchn-2level',
                             'evtchn-send', 'runstate-update-flag',
                             'pvclock-tsc-unstable', 'shared-info-hva'],
            'long-mode': True, 'shared-info-gpa': 0x10000,
            'remap-method': 'memslot',
            'stats': {'maps': 1, 'unmaps': 0, 'shared-info-sets': 1,
                      'vcpu-info-sets': 4, 'registrations': 2,
                      'rejected': 0, 'kvm-errors': 0}},
        SHARED_INFO: {
            'gpa': 0x10000, 'long-mode': True,
            'wallclock': {'version': 4, 'seconds': BOOTED,
                          'nanoseconds': 128_456_009},
            'pending-ports': [], 'unmasked-ports': [*range(2, 18), 20],
            'max-pfn': 0, 'nmi-reason': 0},
        VCPU_INFO: [vcpu(0), vcpu(1)],
    }


def verified(*differences: dict[str, Any]) -> dict[str, Any]:
    """Answers to a query with `verify`."""
    result = answers()
    result[OVERLAY] |= {'kernel-agrees': not differences,
                        'differences': list(differences)}
    return result
