# SPDX-License-Identifier: GPL-2.0-or-later
"""What is installed, and from where the rest comes."""

from __future__ import annotations

import subprocess
import unittest
from unittest import mock

from builder import packages
from builder.say import UserError


class PackagesTest(unittest.TestCase):
    """With the real dpkg, but for the versions it is asked about."""

    def installed(self, answer: str, name: str = 'meson') -> bool:
        """Whether a package is, for an answer of dpkg-query's."""
        run = subprocess.run

        def answered(command: list[str], **options: object) -> object:
            if command[0] == 'dpkg-query':
                command = ['echo', '-n', answer]
            return run(command, **options)      # type: ignore[call-overload]

        with mock.patch.object(subprocess, 'run', answered):
            # pylint: disable-next=protected-access
            return packages._is_installed(name)

    def test_minimum_version(self) -> None:
        for version, enough in (('1.0.1-5', False), ('1.5.0~rc1-1', False),
                                ('1.5.0-1', True), ('1.10.0-1', True),
                                ('1:0.1', True)):
            self.assertEqual(enough, self.installed(f'installed {version}'),
                             version)
        self.assertTrue(self.installed('installed 0.1', 'git'))

    def test_states(self) -> None:
        for answer in ('', 'config-files 1.7.0', 'not-installed ',
                       'half-installed 1.7.0'):
            self.assertFalse(self.installed(answer), answer)

    def test_asked_for_real(self) -> None:
        # pylint: disable=protected-access
        self.assertTrue(packages._is_installed('dpkg'))
        self.assertFalse(packages._is_installed('no-such-package'))

    def ensure(self, extra: str | None, has: bool) -> list[mock._Call]:
        """Installs of two missing packages, one with a minimum."""
        with mock.patch.object(packages, '_is_installed',
                               lambda name: name == 'there'), \
                mock.patch.object(packages, 'Apt') as apt:
            apt.return_value.extra_suite.return_value = extra
            apt.return_value.has.return_value = has
            packages.ensure(['there', 'meson', 'git'])
            return apt.return_value.install.call_args_list

    def test_from_where(self) -> None:
        call = mock.call
        self.assertEqual([call(['git']), call(['meson'], suite='backports')],
                         self.ensure('backports', True))
        self.assertEqual([call(['meson', 'git'], suite='backports')],
                         self.ensure('backports', False))
        self.assertEqual([call(['meson', 'git'])], self.ensure(None, False))

    def test_nothing_missing_asks_nobody(self) -> None:
        with mock.patch.object(packages, 'Apt', side_effect=AssertionError):
            packages.ensure(['dpkg'])

    def test_not_debian(self) -> None:
        with mock.patch.object(subprocess, 'run',
                               side_effect=FileNotFoundError), \
                mock.patch('builder.apt.system_suite',
                           side_effect=UserError('not supported')), \
                self.assertRaisesRegex(UserError, 'not supported'):
            packages.ensure(['dpkg'])


if __name__ == '__main__':
    unittest.main()
