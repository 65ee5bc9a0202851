# SPDX-License-Identifier: GPL-2.0-or-later
"""./run and ./test: their options, and what the tests' results come to."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import run
import test
from builder import emulator
from builder.say import UserError

JUNIT = '''<?xml version="1.0"?>
<testsuites>
 <testsuite name="unit">
  <testcase name="a" classname="types"/>
  <testcase name="b" classname="types"><failure message="no"/></testcase>
  <testcase name="c" classname="types"><error/></testcase>
  <testcase name="d" classname="kvm"><skipped message=" no KVM "/></testcase>
  <testcase name="e" classname="kvm"><skipped>why</skipped></testcase>
 </testsuite>
 <testsuite name="functional">
  <testcase name="2 A.g" classname="tap"><skipped/></testcase>
  <system-out>TAP version 13
ok 1 A.f # SKIP another
ok 2 A.g # SKIP no disk
1..2</system-out>
 </testsuite>
 <testsuite name="unit/x"><testcase name="f" classname="x">
  <system-out>fine</system-out></testcase></testsuite>
</testsuites>
'''


class Bed(unittest.TestCase):
    """A folder to be in."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='builder-test.')
        self.addCleanup(scratch.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.place = Path(scratch.name).resolve()
        os.chdir(self.place)

    def parse(self, module: object, *arguments: str) -> argparse.Namespace:
        """A command's parsed arguments."""
        with mock.patch.object(sys, 'argv', ['command', *arguments]):
            parsed = getattr(module, 'parse')()
        assert isinstance(parsed, argparse.Namespace)
        return parsed

    def refused(self, module: object, *arguments: str) -> str:
        """What a command says of its arguments; nothing has begun yet."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), \
                self.assertRaises(SystemExit) as caught:
            self.parse(module, *arguments)
        self.assertEqual(2, caught.exception.code)
        return errors.getvalue()


class RunTest(Bed):
    """./run"""

    def test_arguments(self) -> None:
        Path('vmlinuz').touch()
        parsed = self.parse(run, '--kernel', 'vmlinuz', '--smp=4', '--global',
                            'a.b=c', '--configure=--enable-x "--y=1 2"')
        self.assertIsNone(parsed.qemu)
        self.assertEqual(['--enable-x', '--y=1 2'], parsed.configure)
        command = run.machine_arguments(parsed, parsed.kernel, None, 'quiet')
        self.assertIn('-smp 4 -m 512 ', ' '.join(command))
        self.assertEqual(['-global', 'a.b=c'], command[-2:])
        self.assertNotIn('-initrd', command)
        self.assertEqual(['-m', '1', '--', '--help'],
                         self.parse(run, '--', '-m', '1', '--',
                                    '--help').qemu)

    def test_refusals(self) -> None:
        Path('a-file').touch()
        for arguments, words in {
                ('--kernel', 'none'): 'none: no such file',
                ('--kernel', '.'): '.: no such file',
                ('--kernel', 'a-file', '--initrd', 'none'): 'none: no such',
                ('--initrd', 'a-file'): '--initrd goes with --kernel',
                ('--smp', '0'): 'at least 1 vCPU',
                ('--smp', 'two'): 'invalid int value',
                ('--memory', '31'): '32 MiB',
                ('--machine', 'microvm'): 'invalid choice',
                ('--configure', '"'): '--configure',
                ('--nonsense',): 'unrecognized arguments: --nonsense',
                ('-m', '1G'): 'unrecognized arguments',
                ('--',): 'no QEMU arguments after "--"',
                ('--kernel', 'a-file', '--', '-m', '1G'): 'do not go with',
                ('--memory', '64', '--', '-m', '1G'): 'do not go with',
        }.items():
            with self.subTest(arguments):
                self.assertIn(words, self.refused(run, *arguments))

    def test_wrong_source_is_said_before_anything_is_done(self) -> None:
        for module in (run, test):
            with self.assertRaisesRegex(UserError, 'not a QEMU source tree'):
                self.parse(module, '--with-qemu-source', 'none')

    def test_place_that_qemu_refuses(self) -> None:
        for name in ('/a b', '/a:b', '/a\tb'):
            with mock.patch.object(emulator, 'ROOT', Path(name)), \
                    self.assertRaisesRegex(UserError, 'spaces or colons'):
                emulator.check_place()

    def test_files_named(self) -> None:
        for name in ('vmlinuz', 'disk.img', 'a,b', 'key=c', 'not-named'):
            Path(name).touch()
        Path('folder').mkdir()
        # pylint: disable-next=protected-access
        found = run._files_named([
            '-kernel', 'vmlinuz', '-initrd', f'{self.place}/vmlinuz',
            '-drive', 'if=none,file=disk.img,id=d', '-append', 'a,b',
            '-device', 'key=c', '-drive', 'file=none', '-L', 'folder', '',
            'x' * 5000, 'a\0b'])
        self.assertEqual([str(self.place / name) for name in
                          ('a,b', 'disk.img', 'key=c', 'vmlinuz')], found)

    def test_answers_are_not_passed_on(self) -> None:
        passed = io.BytesIO()
        stream = run.WithoutAnswers(passed)
        self.assertEqual({}, stream.last())
        for data in (b'one\nxen-over', b'lay-answers: {"a": 1}\ntw', b'o\n',
                     b'xen-overlay-answers: {"a": 2}\n'):
            stream.write(data)
        self.assertEqual(b'one\ntwo\n', passed.getvalue())
        self.assertEqual({'a': 2}, stream.last())


class TestTest(Bed):
    """./test"""

    def test_refusals(self) -> None:
        for arguments, words in {
                ('nonsense',): 'invalid choice',
                ('unit', 'remap'): 'names go with "functional"',
                ('unit', '--kernel', 'gfn'): '--kernel and --remap-method go with',
                ('--jobs', '0'): '--jobs: at least 1',
                ('--jobs', 'x'): 'invalid int value'}.items():
            with self.subTest(arguments):
                self.assertIn(words, self.refused(test, *arguments))

    def totals(self, report: str, kernel: str | None = None) -> test.Totals:
        """The totals of a JUnit report."""
        Path('report.xml').write_text(report)
        totals = test.Totals()
        totals.read(Path('report.xml'), kernel)
        return totals

    def test_totals(self) -> None:
        totals = self.totals(JUNIT)
        self.assertEqual(2, totals.passed)
        self.assertEqual(['types: b', 'types: c'], totals.failed)
        self.assertEqual([('kvm: d', 'no KVM'), ('kvm: e', 'why'),
                          ('tap: 2 A.g', 'no disk')], totals.skipped)
        totals.read(Path('report.xml'), None)
        self.assertEqual(4, totals.passed)
        # Which of the kernels it failed on.
        self.assertEqual(['gfn: types: b', 'gfn: types: c'],
                         self.totals(JUNIT, 'gfn').failed)

    def report(self, totals: test.Totals) -> tuple[int, list[str]]:
        """Status and lines of the report."""
        lines = io.StringIO()
        with contextlib.redirect_stdout(lines), \
                contextlib.redirect_stderr(io.StringIO()):
            status = test.report(totals)
        return status, lines.getvalue().splitlines()

    def test_closing_line(self) -> None:
        status, lines = self.report(self.totals(JUNIT))
        self.assertEqual((1, '2 passed, 2 failed, 3 skipped'),
                         (status, lines[-1]))
        self.assertIn('skipped: kvm: d: no KVM', lines)
        self.assertIn('failed: types: b', lines)

    def test_status(self) -> None:
        for totals, wanted in (
                (test.Totals(), 1),
                (test.Totals(skipped=[('a', '')]), 1),
                (test.Totals(passed=1, failed=['a']), 1),
                (test.Totals(passed=1, skipped=[('a', '')]), 0)):
            status, lines = self.report(totals)
            self.assertEqual(wanted, status, totals)
            self.assertRegex(lines[-1],
                             r'^\d+ passed, \d+ failed, \d+ skipped$')

    def suite(self, status: int, report: str | None,
              *names: str) -> test.Totals:
        """Totals after a suite for which meson does this."""
        logs = self.place / 'meson-logs'
        logs.mkdir(exist_ok=True)
        log = logs / ('unit-tests' + ''.join(f'+{name}' for name in names) +
                      '.junit.xml')
        log.write_text(JUNIT)       # of an earlier run

        def meson(_: list[str], env: object) -> int:
            self.assertEqual(os.environ, env)
            if report is not None:
                log.write_text(report)
            return status

        totals = test.Totals()
        with mock.patch.object(test, 'OWN_BUILD', self.place), \
                mock.patch.object(test.child, 'run', meson), \
                contextlib.redirect_stderr(io.StringIO()):
            test.run_suite(test.Run('unit', 'unit', names=names),
                           argparse.Namespace(jobs=1), totals)
        return totals

    def test_suites(self) -> None:
        good = '<testsuites><testsuite><testcase name="a" classname="b"/>' \
            '</testsuite></testsuites>'
        self.assertEqual(test.Totals(passed=1), self.suite(0, good))
        self.assertEqual(2, len(self.suite(1, JUNIT).failed))
        # No test of that name, and an old report that is not to count.
        self.assertEqual(test.Totals(), self.suite(0, None, 'none'))
        # meson says that something failed, but no test did.
        for report in (good, None):
            totals = self.suite(1, report)
            self.assertEqual(['unit-tests: see above (status 1)'], totals.failed)

    def test_run(self) -> None:
        """What a run is told, and where tests/kernel/matrix finds it."""
        run = test.Run('functional', 'kvm', 'gfn', ('remap',), 'memslot')
        self.assertEqual('functional-tests-gfn-memslot+remap', run.log)
        self.assertEqual(
            {'XEN_OVERLAY_KERNEL': 'gfn', 'XEN_OVERLAY_HOST': 'nested',
             'XEN_OVERLAY_REMAP_METHOD': 'memslot'},
            {name: value for name, value in run.environment.items()
             if os.environ.get(name) != value})


if __name__ == '__main__':
    unittest.main()
