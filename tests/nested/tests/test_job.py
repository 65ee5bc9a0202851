# SPDX-License-Identifier: GPL-2.0-or-later
"""A command goes through the shell unchanged."""

import os
import subprocess
import tempfile
import unittest
from unittest import mock

from nested import job
from nested.errors import NestedError

# Prints its arguments and a variable, NUL-terminated, without Python:
# the shells that run this are the ones that init uses.
SHOW = 'printf "%s\\0" "$@" "$ODD" "$(pwd)"'

ODD_WORDS = ['', ' ', 'two words', "it's", '"quoted"', 'new\nline', '$HOME',
             '`id`', '\\', '\\n', '*', '-n', '~', 'café ☃', '\udcff\udc80',
             '!', '#', ';&|<>', "''", '\t\r\x01']


class JobTest(unittest.TestCase):
    """The script is run by a shell, as init runs it."""

    def test_words_come_through(self) -> None:
        for shell in (['/bin/busybox', 'sh'], ['/bin/sh']):
            for odd in ODD_WORDS:
                with self.subTest(shell=shell, word=odd), \
                        tempfile.TemporaryDirectory() as top:
                    folder = f"{top}/it's a new\nfolder"
                    script = job.script(
                        ['sh', '-c', SHOW, 'name', *ODD_WORDS],
                        {'PATH': os.defpath, 'ODD': odd,
                         'BASH_FUNC_x%%': '() { :; }'}, folder)
                    done = subprocess.run(
                        [*shell, '-s'], input=script, check=True,
                        stdout=subprocess.PIPE)
                    want = [os.fsencode(word) for word in
                            [*ODD_WORDS, odd, os.path.realpath(folder)]]
                    self.assertEqual(done.stdout.split(b'\0')[:-1], want)

    def test_status_is_the_command_s(self) -> None:
        script = job.script(['sh', '-c', 'exit 77'],
                            {'PATH': os.defpath}, '/')
        self.assertEqual(
            subprocess.run(['sh'], input=script, check=False).returncode, 77)

    def test_what_cannot_be_run_is_refused(self) -> None:
        for argv, env, text in (
                ([], {}, 'no command'), (['a=b'], {}, '"="'),
                (['a\0'], {}, 'NUL'), (['a'], {'a=b': 'c'}, 'no name'),
                (['a'], {'': 'c'}, 'no name')):
            with self.subTest(text), \
                    self.assertRaisesRegex(NestedError, text):
                job.script(argv, env, '/')

    def test_environment(self) -> None:
        outside = {'PATH': '/opt/bin', 'TMPDIR': '/outside', 'LANG': 'C',
                   'XEN_OVERLAY_HOST': 'nested'}
        with mock.patch.dict(os.environ, outside, clear=True):
            inside = job.inner_environment(None)
        self.assertNotIn('TMPDIR', inside)
        self.assertEqual(inside['LANG'], 'C')
        self.assertTrue(inside['PATH'].startswith('/opt/bin:'))
        self.assertIn('/usr/sbin', inside['PATH'])
        self.assertEqual(inside['XEN_OVERLAY_HOST'], 'native')
        self.assertEqual(job.inner_environment({'A': 'b'})['A'], 'b')
        self.assertNotIn('LANG', job.inner_environment({'A': 'b'}))
