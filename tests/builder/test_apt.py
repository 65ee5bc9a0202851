# SPDX-License-Identifier: GPL-2.0-or-later
"""apt with a tiny archive in a folder, and what is said where one fails."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Sequence
from unittest import mock

from builder import apt
from builder.say import UserError


class Archive:
    """A Debian archive of our own, without signatures."""

    # apt takes no notice of empty lists.
    PACKAGES = ('Package: other\nVersion: 1\nArchitecture: all\n'
                'Maintainer: A\nFilename: other.deb\nSize: 1\n\n')
    SOURCES = ('Package: other\nBinary: other\nVersion: 1\nMaintainer: A\n'
               'Architecture: any\nDirectory: .\n\n')

    def __init__(self, place: Path) -> None:
        self.changes = 0
        self.place = place
        place.mkdir()

    def add(self, suite: str, origin: str = 'Debian',
            packages: str = '', sources: str = '') -> None:
        """Add or replace a suite."""
        folder = self.place / 'dists' / suite
        sums = []
        for name, text in {
                'main/binary-amd64/Packages': self.PACKAGES + packages,
                'main/source/Sources': self.SOURCES + sources}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            sums.append(f' {digest} {len(text)} {name}\n')
        (folder / 'Release').write_text(
            f'Origin: {origin}\nSuite: {suite}\nCodename: {suite}\n'
            'Components: main\nArchitectures: amd64 all\n'
            'Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n' + ''.join(sums))
        # apt sees a change by a file's time, in whole seconds, and a test
        # makes several within one.
        self.changes += 1
        when = 1767225600 + 60 * self.changes
        for file in folder.rglob('*'):
            os.utime(file, (when, when))

    def add_deb(self, suite: str, version: str) -> None:
        """Give the suite a package foo, and no older one."""
        pool = self.place / 'pool'
        pool.mkdir(exist_ok=True)
        for old in pool.iterdir():
            old.unlink()
        data = f'foo {version}'.encode()
        (pool / f'foo_{version}_all.deb').write_bytes(data)
        self.add(suite, packages=(
            f'Package: foo\nVersion: {version}\nArchitecture: all\n'
            f'Maintainer: A\nFilename: pool/foo_{version}_all.deb\n'
            f'Size: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n'
            'Pre-Depends: one (>= 2)\nDepends: two | three, four:any\n'))


class Bed(unittest.TestCase):
    """A system whose sources are what the test says."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='builder-test.')
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)
        self.archive = Archive(self.root / 'archive')
        self.sources = self.root / 'sources.list'
        self.lists = self.root / 'lists'
        (self.lists / 'partial').mkdir(parents=True)
        config = self.root / 'apt.conf'
        config.write_text(
            f'Dir::Etc::SourceList "{self.sources}";\n'
            'Dir::Etc::SourceParts "/dev/null";\n'
            f'Dir::State::Lists "{self.lists}";\n'
            'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
            'APT::Sandbox::User "root";\n')
        self.sources.touch()
        for replaced in (
                mock.patch.dict(os.environ, {'APT_CONFIG': str(config),
                                             'LC_ALL': 'C.UTF-8'}),
                mock.patch.object(apt, 'system_suite', lambda: 'bookworm'),
                # Nothing here is signed.
                mock.patch.object(apt, 'KEYRING', '/dev/null trusted=yes')):
            replaced.start()
            self.addCleanup(replaced.stop)

    def has_source(self, *lines: str) -> None:
        """Write the system's sources."""
        self.sources.write_text(''.join(f'deb {line}\n' for line in lines))

    def quietly(self) -> contextlib.AbstractContextManager[io.StringIO]:
        """Without the steps that are announced."""
        return contextlib.redirect_stderr(io.StringIO())

    def apt(self) -> apt.Apt:
        """The builder's apt, with every suite that it wants."""
        for suite in ('bookworm', 'bookworm-backports', 'trixie'):
            if not (self.archive.place / 'dists' / suite).exists():
                self.archive.add(suite)
        self.has_source(f'file:{self.archive.place} bookworm main')
        return apt.Apt(self.root / 'a build')


class OnlyTest(Bed):
    """A suite that the system is not mixed with."""

    def test_own_lists(self) -> None:
        own = self.apt()
        for suite in ('bookworm', 'bookworm-backports'):
            self.assertTrue(own.knows(suite))
        self.assertFalse(own.knows('other'))
        self.archive.add('other', packages=(
            'Package: foo\nVersion: 3\nArchitecture: all\nMaintainer: A\n'
            'Filename: foo.deb\nSize: 1\nDepends: bar\n'))
        only = apt.Apt(self.root / 'a build', only='other')
        self.assertTrue(only.knows('other'))
        self.assertFalse(only.knows('bookworm'))
        with self.quietly():
            self.assertEqual(['bar'], only.depends('foo', 'other'))
            with self.assertRaises(UserError):
                own.depends('foo')
        self.assertNotIn('other', (
            self.root / 'a build/apt/sources.list').read_text())


class ArchiveUriTest(Bed):
    """Where the system's sources are."""

    def found(self) -> str:
        """The place of bookworm."""
        return apt.archive_uri('bookworm')

    def test_apt_has_not_read_any_list_yet(self) -> None:
        self.has_source('cdrom:[Debian GNU/Linux 12 DVD 1]/ bookworm main',
                        'https://flat.example/repo ./',
                        'http://deb.example/sec bookworm-security main',
                        'http://deb.example/contrib bookworm contrib',
                        'http://deb.example/debian bookworm contrib main')
        self.assertEqual('http://deb.example/debian/', self.found())

    def test_another_s_suite_of_the_same_name(self) -> None:
        other = Archive(self.root / 'other')
        other.add('bookworm', origin='Somebody')
        self.archive.add('bookworm')
        self.has_source(f'[trusted=yes] file:{other.place} bookworm main',
                        f'[trusted=yes] file:{self.archive.place} bookworm '
                        'main')
        subprocess.run(['apt-get', 'update'], check=True,
                           capture_output=True)
        self.assertEqual(f'file:{self.archive.place}/', self.found())

    def test_no_source(self) -> None:
        self.has_source('http://deb.example/debian sid main')
        with self.assertRaisesRegex(
                UserError, r'no source for bookworm main.*apt-get update.*'
                r'/etc/apt/sources.list.d'):
            self.found()

    def test_sources_that_apt_cannot_read(self) -> None:
        self.sources.write_text('nonsense\n')
        with self.assertRaisesRegex(UserError, 'Malformed line 1'):
            self.found()


class SystemTest(unittest.TestCase):
    """Which systems are supported."""

    def suite_of(self, release: str) -> str:
        """The suite for a content of /etc/os-release."""
        with mock.patch.object(Path, 'read_text', lambda _: release):
            return apt.system_suite()

    def test_releases(self) -> None:
        self.assertEqual('trixie', self.suite_of('VERSION_CODENAME=trixie\n'))
        self.assertEqual('bookworm',
                         self.suite_of('A=b\n\nVERSION_CODENAME="bookworm"'))
        with self.assertRaisesRegex(UserError, 'Fedora 40 .*not supported.*'
                                    'bookworm or trixie.*container'):
            self.suite_of('PRETTY_NAME="Fedora 40"\n')

    def test_other_machines(self) -> None:
        with mock.patch.object(os, 'uname') as uname:
            uname.return_value.machine = 'aarch64'
            with self.assertRaisesRegex(UserError, 'aarch64 is not supp'):
                self.suite_of('VERSION_CODENAME=trixie\n')


class AptTest(Bed):
    """A real apt on the archive."""

    def refused(self, builder_apt: apt.Apt) -> str:
        """What is said when the lists cannot be read."""
        with self.quietly(), self.assertRaises(UserError) as caught:
            builder_apt.has('foo')
        message = str(caught.exception)
        self.assertIn('Check the network and the sources in /etc/apt',
                      message)
        return message

    def test_unreachable_archive(self) -> None:
        builder_apt = self.apt()
        self.has_source('file:/nonexistent bookworm main')
        self.assertIn('/nonexistent', self.refused(builder_apt))

    def test_missing_suite(self) -> None:
        builder_apt = self.apt()
        shutil.rmtree(self.archive.place / 'dists/bookworm-backports')
        message = self.refused(builder_apt)
        self.assertIn('bookworm-backports', message)
        self.assertIn('your mirror does not carry it', message)

    def test_packages(self) -> None:
        self.archive.add_deb('bookworm', '1.0')
        builder_apt = self.apt()
        with self.quietly():
            self.assertTrue(builder_apt.has('foo'))
            self.assertFalse(builder_apt.has('bar'))
            self.assertEqual(['one', 'two', 'four'],
                             builder_apt.depends('foo'))
            with self.assertRaisesRegex(UserError, 'bar'):
                builder_apt.download('bar')

    def test_download_again_and_of_a_newer_one(self) -> None:
        self.archive.add_deb('bookworm', '1.0')
        builder_apt = self.apt()
        with self.quietly() as said:
            deb = builder_apt.download('foo')
            self.assertEqual(b'foo 1.0', deb.read_bytes())
            self.archive.add_deb('bookworm', '1.1')
            self.assertEqual(deb, builder_apt.download('foo'))
            # Lists that are out of date: what they name is gone.
            deb.unlink()
            self.assertEqual(b'foo 1.1',
                             builder_apt.download('foo').read_bytes())
        self.assertEqual(2, said.getvalue().count('package lists'))

    def test_another_version_is_installed(self) -> None:
        """From a suite that we do not know: it cannot be downloaded, and need
        not be."""
        status = self.root / 'status'
        status.write_text('Package: foo\nVersion: 2.0\nArchitecture: all\n'
                          'Status: install ok installed\nMaintainer: A\n'
                          'Description: foo\nDepends: five\n\n')
        self.archive.add_deb('bookworm', '1.0')
        builder_apt = self.apt()
        # pylint: disable-next=protected-access
        own_config = builder_apt._config

        def config() -> Path:
            path = own_config()
            with open(path, 'a', encoding='utf-8') as file:
                file.write(f'Dir::State::status "{status}";\n')
            return path

        with mock.patch.object(builder_apt, '_config', config), \
                self.quietly():
            self.assertEqual(b'foo 1.0',
                             builder_apt.download('foo').read_bytes())
            self.assertEqual(['one', 'two', 'four'],
                             builder_apt.depends('foo'))

    def test_source_that_is_replaced_meanwhile(self) -> None:
        def publish(version: str) -> None:
            dsc = f'qemu_{version}.dsc'
            data = f'the source of {version}'
            (self.archive.place / dsc).write_text(data)
            self.archive.add('trixie', sources=(
                f'Package: qemu\nBinary: qemu\nVersion: 1:{version}\n'
                'Maintainer: A\nArchitecture: any\nDirectory: .\n'
                'Checksums-Sha256:\n '
                f'{hashlib.sha256(data.encode()).hexdigest()} {len(data)} '
                f'{dsc}\n'))

        publish('10.0.9+ds-1')
        builder_apt = self.apt()
        with self.quietly():
            builder_apt.has('foo')      # reads the lists
            (self.archive.place / 'qemu_10.0.9+ds-1.dsc').unlink()
            publish('10.0.13+ds-0+deb13u1')
            dsc = builder_apt.source('qemu', '10.0', self.root / 'source')
        self.assertEqual('the source of 10.0.13+ds-0+deb13u1',
                         dsc.read_text())

    def test_no_source_of_the_series(self) -> None:
        with self.quietly(), self.assertRaisesRegex(
                UserError, 'no qemu 10.0 source.*--with-qemu-source'):
            self.apt().source('qemu', '10.0', self.root)

    def test_neither_root_nor_sudo(self) -> None:
        with self.quietly(), \
                mock.patch.object(os, 'geteuid', lambda: 1000), \
                mock.patch.object(shutil, 'which', lambda _: None), \
                self.assertRaisesRegex(UserError, 'no sudo: foo from other'):
            self.apt().install(['foo'], suite='other')

    def test_nothing_of_the_system_is_written(self) -> None:
        builder_apt = self.apt()
        with self.quietly():
            builder_apt.has('foo')
        self.assertEqual(['partial'],
                         [path.name for path in self.lists.iterdir()])


class VersionTest(unittest.TestCase):
    """Which of the versions in the archive is taken."""

    def newest(self, found: Sequence[str]) -> str:
        """Of QEMU 10.0."""
        # pylint: disable-next=protected-access
        return apt._newest('qemu', '10.0', found)

    def test_order(self) -> None:
        versions = ['1:10.0.0~rc4+ds-1', '1:10.0.0+ds-2', '1:10.0.9+ds-1',
                    '1:10.0.13+ds-0+deb13u1', '1:10.0.13+ds-1']
        for count in range(1, len(versions) + 1):
            self.assertEqual(versions[count - 1],
                             self.newest(versions[count - 1::-1]))

    def test_other_series(self) -> None:
        self.assertEqual('10.0.2-1', self.newest(
            ['1:7.2+dfsg-7', '10.0.2-1', '1:10.1.0+ds-1', '1:110.0.3-1']))
        with self.assertRaises(UserError) as caught:
            self.newest(['1:9.2.0-1', '1:10.00.1-1'])
        self.assertIn('it has 1:10.00.1-1, 1:9.2.0-1', str(caught.exception))
        self.assertIn('--with-qemu-source DIR', str(caught.exception))
        with self.assertRaisesRegex(UserError, 'it has none'):
            self.newest([])


if __name__ == '__main__':
    unittest.main()
