# SPDX-License-Identifier: GPL-2.0-or-later
"""The device's trace in a log, and the picture made of it."""

import unittest

from overlay_picture import overlay_picture
from overlay_trace import OverlayTrace

LOG = '''\
qemu: warning: something else xen_overlay_map gpa=0x1 ret=0
xen_overlay_backends shared_info=hva default_vcpu_info=hva
123@1700000000.5:xen_overlay_kvm_vm_attr SHARED_INFO_HVA ret=0
xen_overlay_kvm_vm_attr LONG_MODE ret=0
xen_overlay_attach_vcpu vcpu=0 ret=0
xen_overlay_attach_vcpu vcpu=1 ret=0
xen_overlay_map gpa=0xfffff000 ret=0\r
xen_overlay_map gpa=0x10000 ret=0
xen_overlay_register_vcpu_info vcpu=1 gpa=0x1f334f00 ret=0
'''
FAILED = '''\
xen_overlay_map gpa=0x2000000000000 ret=-22
xen_overlay_register_vcpu_info vcpu=0 gpa=0xbad00 ret=-22
xen_overlay_register_vcpu_info vcpu=1 gpa=0xbad00 ret=-22
'''


class TraceTest(unittest.TestCase):
    """Events, their texts and fields."""

    def test_events(self) -> None:
        trace = OverlayTrace(LOG)
        self.assertEqual(8, len(trace.events))
        self.assertEqual(('kvm_vm_attr', 'SHARED_INFO_HVA ret=0'),
                         trace.events[1])
        self.assertEqual(['gpa=0xfffff000 ret=0', 'gpa=0x10000 ret=0'],
                         trace.texts('map'))
        self.assertEqual(['0', '1'], trace.field('attach_vcpu', 'vcpu'))
        self.assertEqual([], trace.field('map', 'pa'))
        self.assertEqual([], trace.failures())

    def test_failures(self) -> None:
        trace = OverlayTrace(LOG + FAILED)
        self.assertEqual('map gpa=0x2000000000000 ret=-22',
                         trace.failures()[0])
        self.assertEqual(3, len(trace.failures()))
        self.assertEqual(3, len(trace.texts('map')))
        self.assertEqual(['0xfffff000', '0x10000'],
                         trace.field('map', 'gpa', done=True))


class PictureTest(unittest.TestCase):
    """The lines for people."""

    def test_picture(self) -> None:
        self.assertEqual([
            'shared_info       by hva, told to KVM once',
            '                  mapped 2 times, last at 0x10000',
            'default vcpu_info by hva, 2 vCPUs',
            'vCPU 1            registered its own at 0x1f334f00',
            'errors            none'], overlay_picture(LOG))

    def test_what_failed_is_only_an_error(self) -> None:
        good, bad = overlay_picture(LOG), overlay_picture(LOG + FAILED)
        self.assertEqual(good[:-1], bad[:-1])
        self.assertIn('vcpu=0 gpa=0xbad00 ret=-22', bad[-1])

    def test_nothing_happened(self) -> None:
        picture = overlay_picture('')
        self.assertIn('by (never), told to KVM 0 times', picture[0])
        self.assertIn('mapped 0 times, last at (never)', picture[1])


if __name__ == '__main__':
    unittest.main()
