# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages are unpacked once, and whole or not at all."""

import contextlib
import io
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from nested import debian
from nested.errors import NestedError


class UnpackedTest(unittest.TestCase):
    """With packages made by dpkg-deb, and no archive."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)
        self.cache = self.top / 'cache'
        self.asked = 0

    def package(self, name: str, *files: str) -> Path:
        """A package with these files."""
        root = self.top / name
        (root / 'DEBIAN').mkdir(parents=True)
        (root / 'DEBIAN/control').write_text(
            f'Package: {name}\nVersion: 1\nArchitecture: all\n'
            'Maintainer: x <x@x>\nDescription: x\n')
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(name)
        deb = self.top / f'{name}_1_all.deb'
        subprocess.run(['dpkg-deb', '--build', root, deb], check=True,
                       stdout=subprocess.DEVNULL)
        return deb

    def unpacked(self, *packages: Path, keep: str = '') -> Path:
        """The packages, as if they had been downloaded."""
        def downloaded(_what: str, _download: object) -> tuple[Path, ...]:
            self.asked += 1
            return packages

        with mock.patch.object(debian, '_downloaded', downloaded), \
                contextlib.redirect_stderr(io.StringIO()):
            return debian.unpacked(self.cache, 'it', lambda _: [], keep)

    def test_several_packages_in_one_folder(self) -> None:
        folder = self.unpacked(self.package('one', 'boot/a', 'lib/x/b.so'),
                               self.package('two', 'lib/x/c.so'))
        self.assertEqual('one', (folder / 'boot/a').read_text())
        self.assertEqual('two', (folder / 'lib/x/c.so').read_text())

    def test_asked_once(self) -> None:
        package = self.package('one', 'a')
        self.assertEqual(self.unpacked(package), self.unpacked(package))
        self.assertEqual(1, self.asked)

    def test_broken_package_leaves_nothing(self) -> None:
        broken = self.top / 'broken.deb'
        broken.write_text('no package')
        with self.assertRaises(subprocess.CalledProcessError), \
                mock.patch.object(subprocess, 'run', self.silent_run()):
            self.unpacked(self.package('one', 'a'), broken)
        self.assertEqual([], list(self.cache.iterdir()))

    @staticmethod
    def silent_run() -> object:
        """subprocess.run without what dpkg-deb complains."""
        run = subprocess.run
        return lambda *args, **options: run(
            *args, stderr=subprocess.DEVNULL, **options)

    def test_only_what_is_kept(self) -> None:
        folder = self.unpacked(self.package('one', 'a/kept', 'a/not', 'b'),
                               keep='/kept$')
        self.assertEqual(['kept'], [path.name for path in folder.rglob('*')
                                    if path.is_file()])

    def test_archive_that_cannot_be_read(self) -> None:
        def fails(_apt: object) -> list[Path]:
            from builder.say import UserError
            raise UserError('no network')

        with self.assertRaisesRegex(NestedError, 'no network'), \
                contextlib.redirect_stderr(io.StringIO()):
            debian.unpacked(self.cache, 'it', fails)
