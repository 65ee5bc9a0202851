# SPDX-License-Identifier: GPL-2.0-or-later
"""From what guests say to the table."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from conformance import __main__ as tool
from conformance.campaign import Run, all_items
from conformance.results import Result, parse
from conformance.subjects import SUBJECTS, Qemu, ending
from conformance.table import Column, render
from nested.errors import NestedError

TITLES = {1: 'maps in RAM', 2: 'bad index', 3: 'gfn ~0'}


class Guest:
    """Says of each item what it is told to; dies where that is None."""

    def __init__(self, **outcomes: str | None) -> None:
        self.outcomes = {int(name[1:]): outcome
                         for name, outcome in outcomes.items()}
        self.appends: list[str] = []

    def run(self, append: str) -> Run:
        """One run, heeding skip=."""
        self.appends.append(append)
        skip = {number for word in append.split() if word.startswith('skip=')
                for number in map(int, word[5:].split(','))}
        text = 'vCPUs: 8\r\n'
        for item, outcome in self.outcomes.items():
            if item in skip:
                continue
            text += f'C-{item:02} START {TITLES[item]}\r\n'
            if outcome is None:
                return Run(text, 'QEMU died by SIGABRT')
            text += f'C-{item:02} {outcome}\r\n'
        return Run(text + 'VERDICT: FAIL conformance: x\r\n', 'status 3')


class ResultsTest(unittest.TestCase):
    """parse()."""

    def test_outcomes(self) -> None:
        found = parse('C-01 START maps in RAM\nC-01 PASS\n'
                      'C-02 START bad index\r\n'
                      'C-02 FAIL got=0 want=-22: mapping index 1\r\n'
                      'C-12 SKIP why\nC-26 KNOWN how\nC-03 START gfn ~0\n')
        self.assertEqual(
            {1: Result('PASS'), 12: Result('SKIP', 'why'),
             2: Result('FAIL', 'got=0 want=-22: mapping index 1'),
             26: Result('KNOWN', 'how')}, dict(found.items))
        self.assertEqual(TITLES, dict(found.titles))
        self.assertEqual(3, found.open_item)

    def test_what_is_no_outcome(self) -> None:
        found = parse('C-01 PASSED\nsay C-02 PASS\nC-x PASS\nC-03 maybe\n')
        self.assertEqual({}, dict(found.items))
        self.assertIsNone(found.open_item)

    def test_the_worst_counts(self) -> None:
        text = 'C-01 PASS\nC-01 FAIL x\nC-01 PASS\n'
        self.assertEqual(Result('FAIL', 'x'), parse(text).items[1])


class CampaignTest(unittest.TestCase):
    """all_items()."""

    def test_one_run_is_enough(self) -> None:
        guest = Guest(c1='PASS', c2='FAIL x', c3='PASS')
        found = parse(all_items(guest.run, 'loops=9'))
        self.assertEqual(3, len(found.items))
        self.assertEqual(['loops=9'], guest.appends)

    def test_goes_on_behind_a_death(self) -> None:
        guest = Guest(c1='PASS', c2=None, c3='PASS')
        found = parse(all_items(guest.run, 'loops=9'))
        self.assertEqual(Result('DIED', 'QEMU died by SIGABRT'),
                         found.items[2])
        self.assertEqual(Result('PASS'), found.items[3])
        self.assertEqual(['loops=9', 'loops=9 skip=1,2'], guest.appends)

    def test_every_item_is_deadly(self) -> None:
        guest = Guest(c1=None, c2=None, c3=None)
        found = parse(all_items(guest.run, ''))
        self.assertEqual(['DIED'] * 3, [result.outcome for result
                                        in found.items.values()])

    def test_judged_beforehand(self) -> None:
        guest = Guest(c1='PASS', c2=None, c3='PASS')
        found = parse(all_items(guest.run, '', 'C-02 SKIP it cannot\n'))
        self.assertEqual(Result('SKIP', 'it cannot'), found.items[2])
        self.assertEqual(['skip=2'], guest.appends)

    def test_a_guest_that_says_nothing(self) -> None:
        with self.assertRaisesRegex(NestedError, 'no KVM here'):
            all_items(lambda _: Run('boo\n', 'no KVM here'), '')


class TableTest(unittest.TestCase):
    """render()."""

    def test_cells(self) -> None:
        def column(title: str, wide: Guest, narrow: Guest) -> Column:
            return Column(title, {
                '64': parse(all_items(wide.run, '')),
                '32': parse(all_items(narrow.run, ''))})

        good = Guest(c1='PASS', c2='PASS a|b', c3='PASS')
        page = render([
            column('real Xen', good, good),
            column('stock', Guest(c1='PASS', c2='FAIL got=0', c3=None),
                   Guest(c1='PASS', c2='PASS', c3=None)),
            Column('another', {})], 'the command')
        self.assertIn('| C-01 | maps in RAM | pass | pass |', page)
        self.assertIn('| C-02 | bad index | pass | FAIL / pass |', page)
        self.assertIn('| C-03 | gfn ~0 | pass | DIED |', page)
        self.assertIn('| stock | 64-bit | 1 | 1 | 0 | 0 | 1 |', page)
        self.assertIn('- FAIL (stock, 64-bit): got=0\n', page)
        self.assertIn('- DIED (stock, 64-bit; stock, 32-bit): QEMU died by '
                      'SIGABRT\n', page)
        self.assertIn('- pass (real Xen, 64-bit; real Xen, 32-bit): a|b',
                      page)
        self.assertNotIn('### C-01', page)

    def test_item_that_no_guest_began(self) -> None:
        page = render([Column('Xen', {'64': parse('C-16 SKIP why\n')})], 'x')
        self.assertIn('| C-16 |  | skip |', page)
        page = render([Column('Xen', {'64': parse('C-16 SKIP why\n')}),
                       Column('ours', {'64': parse('C-16 START reset\n')})],
                      'x')
        self.assertIn('| C-16 | reset | skip | - |', page)
        self.assertIn('### C-16: reset\n', page)


class SubjectsTest(unittest.TestCase):
    """What is run."""

    def test_endings(self) -> None:
        self.assertEqual('QEMU died by SIGABRT: Assertion',
                         ending(134, 'x\nAssertion\n', 5))
        self.assertEqual('QEMU died by signal 100', ending(228, '', 5))
        self.assertEqual('QEMU ended with status 0', ending(0, '', 5))
        self.assertEqual('no end within 5 s', ending(124, 'x', 5))

    def test_commands_differ_in_what_is_compared(self) -> None:
        commands = {subject.name: subject.command(Path('/g'), 'a b', 3)
                    for subject in SUBJECTS if isinstance(subject, Qemu)}
        self.assertIn('xen-overlay.shared-info=hva', commands['hva'])
        self.assertEqual(
            [word.replace('hva', 'gfn') for word in commands['hva']],
            commands['gfn'])
        self.assertEqual(commands['hva'][1:-2], commands['stock'][1:])
        self.assertNotEqual(commands['hva'][0], commands['stock'][0])


class ToolTest(unittest.TestCase):
    """The command, with subjects that need no machine."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)
        self.page = self.top / 'page.md'
        for name in tool.FILES.values():
            (self.top / name).touch()

    def subject(self, name: str, must_pass: bool, guest: Guest) -> mock.Mock:
        """A subject that the guest runs on without a machine."""
        subject = mock.Mock(title=name.upper(), must_pass=must_pass)
        subject.name = name
        subject.beforehand.return_value = ''
        subject.run.side_effect = \
            lambda _guest, append, _vcpus, _limit: guest.run(append)
        return subject

    def build(self) -> None:
        """Nothing is built here."""

    def run_tool(self, subjects: list[mock.Mock],
                 *arguments: str) -> tuple[int, str]:
        """Status, and what it says."""
        said = io.StringIO()
        with mock.patch.object(tool, 'SUBJECTS', subjects), \
                mock.patch.object(tool, 'GUESTS', self.top), \
                mock.patch.object(tool, 'build', self.build), \
                mock.patch.object(tool, 'SAID', self.top / 'said'), \
                contextlib.redirect_stderr(said):
            status = tool.main(['--output', str(self.page), *arguments])
        return status, said.getvalue()

    def test_statuses(self) -> None:
        good = Guest(c1='PASS')
        bad = Guest(c1='PASS', c2='FAIL x')
        status, _ = self.run_tool([self.subject('ours', True, good),
                                   self.subject('stock', False, bad)])
        self.assertEqual(0, status)
        self.assertIn('| C-02 | bad index | - | FAIL |',
                      self.page.read_text())
        status, said = self.run_tool([self.subject('ours', True, bad)])
        self.assertEqual(1, status)
        self.assertIn('OURS, 64-bit: C-02', said)

    def test_again(self) -> None:
        ours = self.subject('xen', True, Guest(c1='PASS'))
        stock = self.subject('stock', False, Guest(c1='FAIL x'))
        self.run_tool([ours, stock])
        ours.run.reset_mock()
        stock.run.reset_mock()
        status, _ = self.run_tool([ours, stock], '--again', 'stock')
        self.assertEqual(0, status)
        self.assertEqual(0, ours.run.call_count)
        self.assertEqual(2, stock.run.call_count)
        self.assertIn('| C-01 | maps in RAM | pass | FAIL |',
                      self.page.read_text())

    def test_nothing_can_be_built(self) -> None:
        self.build = mock.Mock(side_effect=tool.NestedError('no compiler'))
        status, said = self.run_tool(
            [self.subject('xen', True, Guest(c1='PASS'))])
        self.assertEqual(125, status)
        self.assertIn('no compiler', said)
        self.assertFalse(self.page.exists())


if __name__ == '__main__':
    unittest.main()
