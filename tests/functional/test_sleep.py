#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspend to RAM and wakeup (ACPI S3): to Xen the domain's life goes on.

The firmware and Linux set up devices anew after a wakeup, but nobody maps
shared_info again, registers a vcpu_info or binds a port: all that is as it
was, and the load goes on.

An event comes meanwhile, so an upcall is pending when the firmware begins, and
KVM injects the vector once the firmware has enabled the local APIC.  It has no
handler for it, and must not see it.
"""

import time
from pathlib import Path
from typing import Any

from overlay_test import main
from overlay_test.load import LoadTest, Offset, Questions

# Seconds to sleep, and what the guest's time of day may be off beside what the
# way of question and answer hides.
SLEEP = 5
ERROR = 0.01

VIRQ_TIMER = 0


class Sleep(LoadTest):
    """Linux goes to sleep under load."""

    def overlay(self) -> dict[str, Any]:
        """What must be the same before and after."""
        overlay = self.vm.cmd('query-xen-overlay', verify=True)
        self.assertTrue(overlay['kernel-agrees'], overlay)
        return {
            'gpa': overlay['shared-info-gpa'],
            'long-mode': overlay['long-mode'],
            'stats': {name: overlay['stats'][name] for name in
                      ('maps', 'unmaps', 'registrations', 'kvm-errors')},
            'areas': [vcpu['gpa'] for vcpu in
                      self.vm.cmd('query-xen-vcpu-info')],
        }

    def send_timer(self) -> None:
        """The event of vCPU 0's timer: one that wakes Linux up at any time."""
        port, = (port['port'] for port in self.vm.cmd('xen-event-list')
                 if (port['type'], port['target'], port['vcpu']) ==
                 ('virq', VIRQ_TIMER, 0))
        self.vm.cmd('xen-event-inject', port=port)
        self.assertTrue(self.vm.cmd('query-xen-vcpu-info')[0]
                        ['upcall-pending'])

    def sleep(self, backend: str, smp: str) -> None:
        """Down and up again."""
        monitor = Path(self.workdir) / 'monitor'
        self.launch_load('', '-global', f'xen-overlay.shared-info={backend}',
                         *Questions.arguments(monitor), smp=smp)
        self.wait_for_load('guest: ready')
        self.goes_on()
        before = self.overlay()
        offset = self.clock_offset()
        with Questions(monitor) as questions:
            self.fall_asleep()
            time.sleep(SLEEP)
            self.send_timer()
            self.vm.cmd('system_wakeup')
            self.wait_for_load('guest: sleep: 0')
            self.goes_on()
            # By Xen's time of day Linux knows how long it has slept.  What its
            # own was ahead before it drops, but from 2 s on, with seconds
            # rounded down, it keeps that (timekeeping_suspend()).
            now = self.clock_offset()
            error = min(now.apart(Offset(0, 0)), now.apart(offset))
            self.log.info(f'clock: {error * 1000:.3f} ms off')
            self.assertLess(error, ERROR)
        self.assertEqual(before, self.overlay())
        self.assertGreater(questions.asked, 0)
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        self.assertEqual([], self.overlay_trace().failures())

    def test_2_vcpus(self) -> None:
        self.sleep('auto', '2')


if __name__ == '__main__':
    main()
