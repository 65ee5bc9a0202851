# SPDX-License-Identifier: GPL-2.0-or-later
"""Options, choices and errors that need no boot."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from nested import xen_kvm
from nested.__main__ import given_file, main
from nested.errors import NestedError
from nested.host import NestedHost
from nested.outer import Outer


class OuterTest(unittest.TestCase):
    """The outer machine is the one that was found to be sound."""

    def command(self, icount: bool = False, vfio: bool = False) -> list[str]:
        """A command line."""
        return Outer(Path('/qemu'), Path('/vmlinuz'), '/dev/fd/9',
                     Path('/a,b'), 1024, icount, vfio).command({'out': 7})

    def test_one_thread_and_one_cpu(self) -> None:
        command = ' '.join(self.command())
        self.assertIn('-accel tcg,thread=single', command)
        self.assertIn('-smp 1', command)
        self.assertNotIn('icount', command)
        self.assertNotIn('erms', command)
        with self.assertRaisesRegex(NestedError, 'one CPU'):
            NestedHost(cpus=2)

    def test_icount(self) -> None:
        command = ' '.join(self.command(icount=True))
        self.assertIn('-icount shift=0,sleep=off', command)
        self.assertIn('-cpu max,erms=off,fsrm=off', command)

    def test_vfio(self) -> None:
        devices = '-device intel-iommu -device edu'
        with_it = self.command(vfio=True)
        self.assertIn(devices, ' '.join(with_it))
        self.assertIn('intel_iommu=on',
                      with_it[with_it.index('-append') + 1].split())
        without = ' '.join(self.command())
        self.assertNotIn(devices, without)
        self.assertNotIn('iommu', without)

    def test_commas_in_paths(self) -> None:
        self.assertIn('file,id=console,path=/a,,b', self.command())


class ToolTest(unittest.TestCase):
    """The command-line tool."""

    def complaint(self, *arguments: str) -> str:
        """What the tool says when it cannot start."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(main([*arguments, '--', 'true']), 125)
        return errors.getvalue()

    def test_given_files(self) -> None:
        self.assertEqual(given_file('/a'), '/a')
        self.assertEqual(given_file('/a:/b'), ('/a', '/b'))
        self.assertEqual(given_file('a:b'), 'a:b')
        with tempfile.TemporaryDirectory(suffix=':') as folder:
            self.assertEqual(given_file(f'{folder}/'), f'{folder}/')
            self.assertEqual(given_file(f'{folder}:/b'), (folder, '/b'))

    def test_errors_say_what_to_do(self) -> None:
        self.assertIn('neither one of mainline, gfn, default-slot, newest, '
                      'default-slot-newest nor',
                      self.complaint('--kernel', '/absent'))

    def test_wrong_wish(self) -> None:
        with mock.patch.dict('os.environ', {'XEN_OVERLAY_HOST': 'here'}):
            self.assertIn('must be "native" or "nested"',
                          self.complaint('--native-if-possible'))


class XenKvmTest(unittest.TestCase):
    """What is no KVM is not taken for one."""

    def test_absent_device(self) -> None:
        found = xen_kvm.available('/dev/absent')
        self.assertFalse(found.usable)
        self.assertIn('No such file', found.reason)

    def test_other_device(self) -> None:
        found = xen_kvm.available('/dev/null')
        self.assertFalse(found.usable)
        self.assertIn('is not KVM', found.reason)

    def test_answers(self) -> None:
        for answers, usable, text in (
                ([11], False, 'version 11'),
                ([12, 0], False, 'lacks HYPERCALL_MSR, INTERCEPT_HCALL, SHA'),
                ([12, 3], False, 'lacks SHARED_INFO'),
                ([12, 7, OSError(19, 'No such device')], False, 'create a VM'),
                ([12, 7, -1], True, 'can host')):
            with self.subTest(text), \
                    mock.patch('fcntl.ioctl', side_effect=answers), \
                    mock.patch('os.close'):
                found = xen_kvm.available('/dev/null')
                self.assertEqual(found.usable, usable)
                self.assertIn(text, found.reason)

    def test_choice(self) -> None:
        def choose(**env: str) -> bool:
            return xen_kvm.choose(env, '/dev/absent').native

        self.assertFalse(choose())
        self.assertTrue(choose(XEN_OVERLAY_HOST='native'))
        self.assertFalse(choose(XEN_OVERLAY_HOST='nested'))
        with self.assertRaises(ValueError):
            choose(XEN_OVERLAY_HOST='Nested')
