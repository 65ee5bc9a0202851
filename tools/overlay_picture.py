# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a guest's overlay, read off the device's trace events."""

from __future__ import annotations

from overlay_trace import OverlayTrace


def overlay_picture(log: str) -> list[str]:
    """Lines for people."""
    trace = OverlayTrace(log)
    shared_info = _last(trace.field('backends', 'shared_info'))
    default = _last(trace.field('backends', 'default_vcpu_info'))
    maps = trace.field('map', 'gpa', done=True)
    vcpus = trace.texts('attach_vcpu', done=True)
    told = [text for text in trace.texts('kvm_vm_attr', done=True)
            if text.startswith('SHARED_INFO') and 'none' not in text]
    lines = [
        f'shared_info       by {shared_info}, told to KVM '
        f'{_times(len(told))}',
        f'                  mapped {_times(len(maps))}, '
        f'last at {_last(maps)}',
        f'default vcpu_info by {default}, {len(vcpus)} vCPUs',
    ]
    places = dict(zip(trace.field('register_vcpu_info', 'vcpu', done=True),
                      trace.field('register_vcpu_info', 'gpa', done=True)))
    for vcpu, place in places.items():
        lines.append(f'vCPU {vcpu:<12} registered its own at {place}')
    failures = trace.failures()
    lines.append(f'errors            {"; ".join(failures) or "none"}')
    return lines


def _last(values: list[str]) -> str:
    return values[-1] if values else '(never)'


def _times(count: int) -> str:
    return 'once' if count == 1 else f'{count} times'
