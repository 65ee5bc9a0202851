# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules load after what they depend on, and fit their kernel."""

import lzma
import tempfile
import unittest
from pathlib import Path

from nested.errors import NestedError
from nested.kernel import find_kernel
from nested.module import load_order, modinfo, module_name

RELEASE = '6.12.0-try'


def module(depends: str, release: str = RELEASE) -> bytes:
    """As much of a module as is looked at."""
    return (b'\x7fELF...\0license=GPL\0depends=' + depends.encode()
            + b'\0vermagic=' + release.encode() + b' SMP mod_unload \0')


def image(release: str = RELEASE) -> bytes:
    """As much of a bzImage as is looked at."""
    header = bytearray(0x400)
    header[0x202:0x206] = b'HdrS'
    header[0x20e:0x210] = (0x100).to_bytes(2, 'little')
    text = f'{release} (someone@somewhere) #1\0'.encode()
    header[0x300:0x300 + len(text)] = text
    return bytes(header)


class ModuleTest(unittest.TestCase):
    """Each test has a folder with a kernel and its modules."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / 'vmlinuz-try').write_bytes(image())
        self.put('kvm-amd.ko.xz', module('kvm,ccp'))
        self.put('kvm.ko', module('irqbypass'))
        self.put('ccp.ko', module(''))
        self.put('irqbypass.ko.xz', module(''))
        self.put('unused.ko', module('absent'))

    def put(self, name: str, data: bytes) -> None:
        """Write a module, compressed if its name says so."""
        if name.endswith('.xz'):
            data = lzma.compress(data)
        (self.folder / name).write_bytes(data)

    def test_order(self) -> None:
        names = [module_name(path) for path in load_order(
            ['kvm-amd'], self.folder.glob('*.ko*'))]
        self.assertEqual(names, ['irqbypass', 'kvm', 'ccp', 'kvm_amd'])

    def test_modinfo(self) -> None:
        self.assertEqual(modinfo(module('a,b'), 'depends'), 'a,b')
        self.assertEqual(modinfo(module('a,b'), 'absent'), '')

    def test_find_kernel(self) -> None:
        found = find_kernel(self.folder)
        self.assertEqual(found.release, RELEASE)
        self.assertEqual(found.vmlinuz.name, 'vmlinuz-try')
        self.assertEqual(len(found.modules), 4)

    def test_missing_module_is_named(self) -> None:
        (self.folder / 'kvm.ko').unlink()
        with self.assertRaisesRegex(NestedError, 'kvm, needed by kvm_amd'):
            find_kernel(self.folder)

    def test_foreign_module_is_refused(self) -> None:
        self.put('kvm.ko', module('irqbypass', '6.1.0-other'))
        with self.assertRaisesRegex(NestedError, '6.1.0-other.*KERNELREL'):
            find_kernel(self.folder)

    def test_unknown_compression_is_refused(self) -> None:
        (self.folder / 'kvm.ko').rename(self.folder / 'kvm.ko.zst')
        with self.assertRaisesRegex(NestedError, 'decompress'):
            find_kernel(self.folder)

    def test_no_or_two_images(self) -> None:
        (self.folder / 'vmlinuz-other').write_bytes(image())
        with self.assertRaisesRegex(NestedError, 'vmlinuz-other'):
            find_kernel(self.folder)
        (self.folder / 'vmlinuz-other').unlink()
        (self.folder / 'vmlinuz-try').unlink()
        with self.assertRaisesRegex(NestedError, 'found: none'):
            find_kernel(self.folder)

    def test_not_a_kernel(self) -> None:
        (self.folder / 'vmlinuz-try').write_bytes(b'no kernel')
        with self.assertRaisesRegex(NestedError, 'bzImage'):
            find_kernel(self.folder)

    def test_unknown_name(self) -> None:
        with self.assertRaisesRegex(NestedError, 'mainline, gfn'):
            find_kernel('no-such-kernel')
