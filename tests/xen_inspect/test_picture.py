# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture of answers, without a connection."""

import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import canned
import xen_inspect
from xen_inspect import (OVERLAY, SHARED_INFO, VCPU_INFO, UnknownAnswer,
                         picture)
from xen_inspect.picture import WIDTH
from xen_inspect.rates import Rates


class PictureTest(unittest.TestCase):
    """Each test changes self.answers."""

    def setUp(self) -> None:
        self.answers = canned.answers()

    def line(self, label: str) -> str:
        """The text of the first line so labelled."""
        for line in picture(self.answers):
            if line.startswith(label + ' '):
                return line[len(label):].strip()
        self.fail(f'no line "{label}" in:\n'
                  + '\n'.join(picture(self.answers)))

    def text(self) -> str:
        """All of it, in one line."""
        return ' '.join(' '.join(picture(self.answers)).split())

    def table(self) -> list[str]:
        """The vCPUs, with their headings."""
        lines = picture(self.answers)
        return lines[[line.startswith('cpu ') for line in lines].index(True):]


class OverlayTest(PictureTest):
    """Where shared_info is, and what KVM was told."""

    def test_hva(self) -> None:
        self.assertEqual(self.line('guest'), 'guest-1, running')
        self.assertEqual(self.line('shared_info'),
                         'mapped at 0x10000, 64-bit layout, moved by memslot')
        self.assertEqual(self.line('  told to KVM'), 'by host address (hva)')
        self.assertEqual(self.line('default vcpu_info'),
                         'by host address (hva)')
        self.assertTrue(self.line('state').startswith('not broken'))
        self.assertIn('evtchn-send, runstate-update-flag', self.text())
        self.assertIn('since start 1 maps, 0 unmaps, 2 registrations, '
                      '0 rejected told to KVM shared_info 1, vcpu_info 4, '
                      'errors 0', self.text())

    def test_gfn(self) -> None:
        self.answers[OVERLAY] |= {'shared-info-backend': 'gfn',
                                  'default-vcpu-info-backend': 'gpa',
                                  'remap-method': 'host-page'}
        self.assertEqual(self.line('  told to KVM'),
                         'by guest frame, at each map (gfn)')
        self.assertEqual(self.line('default vcpu_info'),
                         'by guest address, at each map (gpa)')
        self.assertIn('moved by host-page', self.line('shared_info'))

    def test_kernel(self) -> None:
        self.answers[OVERLAY]['default-vcpu-info-backend'] = 'kernel'
        self.assertIn('found by KVM itself', self.line('default vcpu_info'))

    def test_a_backend_of_tomorrow(self) -> None:
        self.answers[OVERLAY]['shared-info-backend'] = 'telepathy'
        self.assertEqual(self.line('  told to KVM'), 'telepathy')

    def test_unmapped(self) -> None:
        del self.answers[OVERLAY]['shared-info-gpa']
        del self.answers[SHARED_INFO]['gpa']
        self.answers[VCPU_INFO] = [
            canned.vcpu(0, source='default-slot', gpa=None)]
        self.assertEqual(self.line('shared_info'),
                         'not mapped, 64-bit layout, moved by memslot')
        # The slot has no address, but is read all the same.
        self.assertEqual(self.table()[1].split(),
                         ['0', 'slot', '-', '0x0', 'no', '-', '6', '0.071',
                          '1000.000', '0x1'])

    def test_32_bit(self) -> None:
        self.answers[OVERLAY]['long-mode'] = False
        self.assertIn('mapped at 0x10000, 32-bit layout,',
                      self.line('shared_info'))

    def test_broken(self) -> None:
        self.answers[OVERLAY]['broken'] = True
        self.assertIn('state BROKEN: an operation failed', self.text())

    def test_not_enabled(self) -> None:
        self.answers = {OVERLAY: {'enabled': False}}
        self.assertEqual(self.text(), 'Xen not emulated by this machine')

    def test_names_cannot_steer_the_terminal(self) -> None:
        self.answers['query-name'] = {'name': 'a\033[2Jb'}
        self.assertEqual(self.line('guest'), 'a?[2Jb, running')
        self.answers['query-name'] = {}
        self.assertEqual(self.line('guest'), 'running')


class VerifyTest(PictureTest):
    """What KVM has otherwise."""

    def verified(self, *differences: dict[str, Any]) -> str:
        """The picture's text."""
        self.answers = canned.verified(*differences)
        return self.text()

    def test_not_asked(self) -> None:
        self.assertEqual(self.line('state'),
                         'not broken, KVM not asked what it has (--verify)')

    def test_agrees(self) -> None:
        self.assertIn('not broken, KVM has all as QEMU believes',
                      self.verified())

    def test_differences(self) -> None:
        for difference, text in (
                ({'attribute': 'shared-info-gfn', 'expected': 0x10,
                  'actual': 0xfeff},
                 'shared-info-gfn: QEMU believes 0x10, KVM has 0xfeff'),
                ({'attribute': 'vcpu-info-gpa', 'cpu-index': 3,
                  'expected': 0x1000},
                 'vCPU 3 vcpu-info-gpa: QEMU believes 0x1000, KVM has none '
                 'or did not answer'),
                ({'attribute': 'vcpu-info-gpa', 'cpu-index': 0,
                  'actual': 0},
                 'vCPU 0 vcpu-info-gpa: QEMU believes none, KVM has 0x0'),
                ({'attribute': 'long-mode', 'expected': 1, 'actual': 0},
                 'long-mode: QEMU believes 1, KVM has 0'),
                ({'attribute': 'vcpu-info-hva', 'cpu-index': 1},
                 'vCPU 1 vcpu-info-hva: not what QEMU believes (host')):
            with self.subTest(text):
                self.assertIn(f'KVM HAS OTHERWISE: {text}',
                              self.verified(difference))

    def test_each_is_listed(self) -> None:
        text = self.verified(
            *({'attribute': 'vcpu-info-gpa', 'cpu-index': index,
               'expected': 1, 'actual': 2} for index in range(5)))
        self.assertEqual(text.count('QEMU believes 0x1, KVM has 0x2'), 5)


class SharedInfoTest(PictureTest):
    """Ports and clocks."""

    def test_ports(self) -> None:
        self.assertEqual(self.line('pending ports'), 'none')
        self.assertEqual(self.line('unmasked ports'), '2-17, 20')

    def test_pending_and_masked(self) -> None:
        page = self.answers[SHARED_INFO]
        for pending, text in (([3, 4], '3-4'), ([3, 19], '3, 19 (masked: 19)'),
                              ([19], '19 (masked)')):
            with self.subTest(text):
                page['pending-ports'] = pending
                self.assertEqual(self.line('pending ports'), text)

    def test_many_ports_leave_room_for_the_rest(self) -> None:
        self.answers[SHARED_INFO]['unmasked-ports'] = [*range(0, 4096, 2)]
        lines = picture(self.answers)
        self.assertLess(len(lines), 25)
        self.assertTrue(any(line.endswith(' ...') for line in lines))

    def test_what_most_guests_leave_alone(self) -> None:
        self.assertNotIn('max_pfn', self.text())
        self.answers[SHARED_INFO] |= {'max-pfn': 0x1ffff, 'nmi-reason': 2}
        self.assertEqual(self.line('max_pfn'), '0x1ffff')
        self.assertEqual(self.line('nmi_reason'), '0x2')

    def test_clocks(self) -> None:
        self.answers['host-clock'] = canned.BOOTED + 10.5
        self.assertEqual(self.line('wallclock'),
                         '2026-11-22 17:58:39.128456 UTC  version 4')
        self.assertEqual(self.line('  + system time'),
                         '2026-11-22 17:58:39.199014 UTC  at the last update '
                         '(vCPU 0)')
        self.assertEqual(self.line('host\'s clock'),
                         '2026-11-22 17:58:49.500000 UTC  now')
        self.assertIn('now guest at most 10.301 s behind', self.text())

    def test_stopped_guest(self) -> None:
        self.answers |= {'host-clock': canned.BOOTED + 10.5,
                         'query-status': {'status': 'paused',
                                          'running': False}}
        self.assertIn('s behind; it is stopped', self.text())

    def test_clocks_never_set(self) -> None:
        self.answers['host-clock'] = canned.BOOTED
        self.answers[VCPU_INFO] = [canned.vcpu(0, time=canned.clock(0))]
        self.assertNotIn('+ system time', self.text())
        self.answers[SHARED_INFO]['wallclock']['version'] = 0
        self.assertEqual(self.line('wallclock'), 'not set yet (version 0)')
        self.assertNotIn('behind', self.text())


class TableTest(PictureTest):
    """The vCPUs."""

    def test_row(self) -> None:
        self.answers[VCPU_INFO] = [
            canned.vcpu(0, upcall_pending=True, pending_sel=0x8001,
                        upcall_vector=0xf3), canned.nowhere(1)]
        self.assertEqual(
            [line.split() for line in self.table()],
            [['cpu', 'vcpu_info', 'gpa', 'sel', 'upcall', 'vec', 'ver',
              'system', 's', 'tsc', 'MHz', 'flags'],
             ['0', 'registered', '0x1f234f00', '0x8001', 'pend', '0xf3', '6',
              '0.071', '1000.000', '0x1'],
             ['1', 'none', *'--------']])

    def test_upcall(self) -> None:
        self.answers[VCPU_INFO] = [
            canned.vcpu(2 * pending + mask, upcall_pending=bool(pending),
                        upcall_mask=bool(mask))
            for pending in (0, 1) for mask in (0, 1)]
        self.assertEqual([row.split()[4] for row in self.table()[1:]],
                         ['no', 'mask', 'pend', 'both'])

    def test_columns_align(self) -> None:
        self.answers[VCPU_INFO] = [
            canned.vcpu(index, pending_sel=1 << index,
                        time=canned.clock(2 << index, 1 << index))
            for index in range(63)] + [canned.nowhere(63)]
        heading, *rows = self.table()
        self.assertEqual(len(rows), 64)
        # Numbers end, and words begin, below their heading.
        for name in ('cpu', 'gpa', 'sel', 'vec', 'ver', 'system s',
                     'tsc MHz', 'flags'):
            end = heading.index(name) + len(name)
            for row in rows:
                self.assertNotEqual(row[end - 1], ' ', (name, row))
                self.assertIn(row[end:end + 1], ('', ' '), (name, row))
        for name in ('vcpu_info', 'upcall'):
            start = heading.index(name)
            for row in rows:
                self.assertNotEqual(row[start], ' ', (name, row))
                self.assertEqual(row[start - 1], ' ', (name, row))

    def test_ids_are_shown_if_they_tell_something(self) -> None:
        self.assertNotIn(' id ', self.table()[0])
        self.answers[VCPU_INFO][1] = canned.vcpu(1, vcpu_id=16)
        self.assertIn(' id ', self.table()[0])
        self.assertEqual(self.table()[2].split()[:2], ['1', '16'])

    def test_no_vcpus(self) -> None:
        self.answers[VCPU_INFO] = []
        self.assertNotIn('vcpu_info  ', picture(self.answers)[-1])


class FormTest(PictureTest):
    """The picture as a whole."""

    def test_one_screen(self) -> None:
        self.answers = canned.verified() | {
            'host-clock': canned.BOOTED + 10.5}
        self.answers[VCPU_INFO] = [canned.vcpu(index, upcall_vector=0xf3)
                                   for index in range(4)]
        lines = picture(self.answers, Rates(1.0, 1e5, 1e5, 1e5))
        self.assertLess(len(lines), 24)
        for line in lines:
            self.assertLessEqual(len(line), WIDTH, line)
            self.assertEqual(line, line.rstrip())

    def test_the_three_answers_are_enough(self) -> None:
        only = {name: self.answers[name]
                for name in (OVERLAY, SHARED_INFO, VCPU_INFO)}
        self.assertTrue(picture(only)[0].startswith('shared_info'))
        self.assertNotIn('host\'s clock', '\n'.join(picture(only)))

    def test_unknown_answers(self) -> None:
        for change in ({OVERLAY: {'enabled': True}},
                       {SHARED_INFO: []}, {VCPU_INFO: 5},
                       {VCPU_INFO: [{'cpu-index': 0}]},
                       {VCPU_INFO: [canned.vcpu(0, gpa='here')]}):
            with self.subTest(change), self.assertRaises(UnknownAnswer):
                picture(canned.answers() | change)

    def test_needs_no_qemu_library(self) -> None:
        tools = Path(xen_inspect.__file__).parents[1]
        done = subprocess.run(
            [sys.executable, '-c', 'import sys, xen_inspect; '
             'sys.exit("qemu" in sys.modules or "asyncio" in sys.modules)'],
            cwd=tools, env={'PYTHONDONTWRITEBYTECODE': '1'}, check=False)
        self.assertEqual(done.returncode, 0)


if __name__ == '__main__':
    unittest.main()
