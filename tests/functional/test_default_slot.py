#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where KVM finds the default vcpu_info by itself, it is told of none.

Over the whole life of a guest that registers none: its boot, remaps, a vCPU
that is plugged in, a reset, and its power-off.
"""

from overlay_test import KprobeRecord, OverlayTest, main
from overlay_test.generation import KERNEL, generation

REMAPS = 100
# linux/kvm.h: KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO and ..._HVA
VCPU_INFO, VCPU_INFO_HVA = 0, 9


class DefaultSlot(OverlayTest):
    """Seen in the kernel, not in the device's own trace."""

    def setUp(self) -> None:
        super().setUp()
        reason = KprobeRecord.unavailable()
        if reason:
            self.skipTest(reason)

    def remaps(self) -> None:
        self.wait_for(r'READY mapped=\S+\n')
        self.send_byte()
        self.wait_for(rf'DONE loops={REMAPS}\n')

    def test_whole_life(self) -> None:
        # The second argument, whose first member it is.
        with KprobeRecord('kvm_xen_vcpu_set_attr', 'type=+0(%si):u16',
                          f'type=={VCPU_INFO} || type=={VCPU_INFO_HVA}'
                          ) as told:
            self.launch_bare_metal('remap', f'loops={REMAPS} wait=1',
                                   smp='2,maxcpus=3', reboot=True)
            self.remaps()
            free, = [slot for slot in self.vm.cmd('query-hotpluggable-cpus')
                     if 'qom-path' not in slot]
            self.vm.cmd('device_add', driver=free['type'], id='late',
                        **free['props'])
            self.vm.cmd('system_reset')
            self.remaps()
            vcpus = self.vm.cmd('query-xen-vcpu-info')
            self.assertEqual(['default-slot'] * 3,
                             [vcpu['source'] for vcpu in vcpus])
            # KVM has found the slot of the one that runs.
            self.assertGreater(vcpus[0]['time']['version'], 0)
            self.assertGreater(vcpus[0]['time']['tsc-to-system-mul'], 0)
            overlay = self.vm.cmd('query-xen-overlay', verify=True)
            self.assertTrue(overlay['kernel-agrees'], overlay)
            self.send_byte()
            self.end_of_bare_metal()
            calls = told.calls()
            every = told.read()['kvm_xen_vcpu_set_attr']
        print(f'{generation()}: {len(calls)} of {every} calls of '
              'kvm_xen_vcpu_set_attr were for a vcpu_info')
        # Others there are, and on other kernels these as well: so the probe
        # sees what it is to see.
        self.assertGreater(every, len(calls))
        if generation() is KERNEL:
            self.assertEqual([], calls)
        else:
            self.assertGreater(len(calls), 3)


if __name__ == '__main__':
    main()
