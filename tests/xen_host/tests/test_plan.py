# SPDX-License-Identifier: GPL-2.0-or-later
"""What the bed is made of, and what becomes of it."""

import contextlib
import gzip
import io
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from nested.errors import NestedError
from nested.kernel import Kernel
from xen_host import initramfs, libraries
from xen_host.__main__ import main
from xen_host.outer import Outer
from xen_host.release import library_packages, release_in

KERNEL = Kernel(Path('/vmlinuz'), [], '6.1.0')


class PlanTest(unittest.TestCase):
    """Each test has an empty folder."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)

    def put(self, path: str, data: bytes = b'') -> Path:
        """A file."""
        whole = self.top / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(data)
        return whole


class ReleaseTest(PlanTest):
    """Debian's packages, whatever the version."""

    def test_any_version(self) -> None:
        for version in ('4.17', '4.20'):
            root = f'root-{version}'
            self.put(f'{root}/usr/lib/xen-{version}/bin/xl')
            self.put(f'{root}/boot/xen-{version}-amd64.gz',
                     gzip.compress(b'hypervisor'))
            self.put(f'{root}/usr/lib/x86_64-linux-gnu/libx.so')
            release = release_in(self.top / root, KERNEL)
            self.assertEqual(version, release.version)
            self.assertEqual(b'hypervisor', release.hypervisor.read_bytes())
            self.assertEqual(1, len(release.libraries))

    def test_missing_part_is_named(self) -> None:
        self.put('usr/lib/xen-4.17/bin/xl')
        with self.assertRaisesRegex(NestedError, 'boot/xen-4.17-amd64.gz'):
            release_in(self.top, KERNEL)

    def test_library_packages(self) -> None:
        depends = {'xen-utils-4.17': ['libxl', 'python3', 'libc6'],
                   'libxl': ['libc6', 'zlib1g'], 'zlib1g': ['libc6'],
                   'libc6': ['libgcc-s1'], 'libgcc-s1': ['libc6']}
        apt = mock.Mock()
        apt.depends.side_effect = depends.__getitem__
        self.assertEqual(['libxl', 'libc6', 'zlib1g', 'libgcc-s1'],
                         library_packages(apt, 'xen-utils-4.17'))


class LibrariesTest(PlanTest):
    """With what this system's own programs need."""

    def test_closure(self) -> None:
        program = Path(shutil.which('readelf') or '')
        direct = libraries.needed(program)
        self.assertIn('libc.so.6', direct)
        found = libraries.closure(
            [program], [Path('/lib/x86_64-linux-gnu')])
        self.assertLessEqual(set(direct), set(found))
        self.assertIn('ld-linux-x86-64.so.2', found)
        self.assertIn('libgcc_s.so.1', found)

    def test_missing_library_is_named(self) -> None:
        with self.assertRaisesRegex(NestedError, r'\.so\.\d, needed by'):
            libraries.closure([Path('/bin/sh')], [self.top])

    def test_no_program(self) -> None:
        with self.assertRaisesRegex(NestedError, 'script'):
            libraries.needed(self.put('script', b'#!/bin/sh'))


class GuestTest(PlanTest):
    """What is told to xl."""

    def test_configuration(self) -> None:
        lines = initramfs.guest_configuration(
            4, 64, 'loops=1 name="a\\b"', False).decode().splitlines()
        self.assertIn('vcpus = 4', lines)
        self.assertIn('memory = 64', lines)
        self.assertIn('type = "pvh"', lines)
        self.assertIn(r'cmdline = "loops=1 name=\"a\\b\""', lines)

    def test_tsc(self) -> None:
        for own, line in ((True, 'tsc_mode = "default"'),
                          (False, 'tsc_mode = "native"')):
            self.assertIn(line, initramfs.guest_configuration(
                1, 64, '', False, own).decode().splitlines())

    def test_strange_command_line(self) -> None:
        with self.assertRaisesRegex(NestedError, 'one line'):
            initramfs.guest_configuration(1, 64, 'a\nvcpus = 9', False)

    def test_guest_must_be_elf(self) -> None:
        with self.assertRaisesRegex(NestedError, 'not an ELF file'):
            initramfs.is_elf32(self.put('guest', b'MZ'))
        with self.assertRaisesRegex(NestedError, 'not an ELF file'):
            initramfs.is_elf32(self.put('guest', b'\x7fELF'))

    def test_shadow_paging_for_32_bit(self) -> None:
        self.assertTrue(initramfs.is_elf32(self.put('a', b'\x7fELF\1')))
        self.assertFalse(initramfs.is_elf32(self.put('b', b'\x7fELF\2')))
        for shadow, line in ((True, 'hap = 0'), (False, 'hap = 1')):
            self.assertIn(line, initramfs.guest_configuration(
                1, 64, '', shadow).decode().splitlines())

    def test_tree(self) -> None:
        guest = self.put('guest', b'\x7fELF...')
        tree = initramfs.guest_tree(guest, b'vcpus = 1\n', b'mark')
        root = self.top / 'root'
        root.mkdir()
        tree.write(root)
        self.assertEqual(b'\x7fELF...',
                         (root / 'xen-host/guest.elf').read_bytes())
        self.assertEqual(b'mark', (root / 'xen-host/end').read_bytes())

    def test_script_agrees(self) -> None:
        init = initramfs.INIT.read_text()
        self.assertIn(initramfs.CONFIGURATION, init)
        self.assertIn(initramfs.END, init)
        for program in initramfs.PROGRAMS:
            self.assertIn(f'\n{program} ', init)


class OuterTest(unittest.TestCase):
    """The emulator's command line."""

    def test_command(self) -> None:
        command = Outer(Path('/qemu'), Path('/xen'), Path('/k,l'),
                        '/dev/fd/9', 64).command({'xen': 5, 'dom0': 6})
        text = ' '.join(command)
        self.assertIn('-accel tcg,thread=single -smp 1', text)
        self.assertIn(' -kernel /xen ', text)
        self.assertRegex(text, r'-initrd /k,,l console=ttyS1 .*,/dev/fd/9')
        # COM1 is the first -serial.
        self.assertLess(text.index('fd=5'), text.index('fd=6'))
        self.assertGreater(int(command[command.index('-m') + 1]), 64)

    def test_icount(self) -> None:
        def text(icount: bool) -> str:
            outer = Outer(Path('/qemu'), Path('/xen'), Path('/k'), '/i', 64,
                          icount)
            return ' '.join(outer.command({'xen': 5, 'dom0': 6}))

        self.assertIn('-icount shift=0,sleep=off', text(True))
        self.assertIn('-cpu max,erms=off,fsrm=off,x2apic=off', text(True))
        self.assertNotIn('icount', text(False))
        self.assertNotIn('x2apic', text(False))


class ToolTest(PlanTest):
    """Errors that need no boot."""

    def complaint(self, *arguments: str) -> str:
        """What the tool says when it cannot start."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(125, main(arguments))
        return errors.getvalue()

    def test_errors_say_what_is_wrong(self) -> None:
        here = str(self.put('here'))
        for arguments, words in (
                (['--qemu', '/absent', here], 'no such emulator'),
                (['--qemu', here, '/absent'], "'/absent'"),
                (['--qemu', here, here], 'not an ELF file'),
                (['--vcpus', '0', here], '1 to 128'),
                (['--memory', '1', here], 'too little')):
            self.assertIn(words, self.complaint(*arguments))


if __name__ == '__main__':
    unittest.main()
