# SPDX-License-Identifier: GPL-2.0-or-later
"""The page that people read."""

import tempfile
import unittest
from pathlib import Path

from benchmark.page import MARK, failed, made_with, page, update
from benchmark.part import Measure, Part, Plot
from benchmark.results import Results, made

SOMEBODY = {'measured by': 'somebody'}


class OnePart(Part):
    """With a measure and a plot."""
    name = 'one'
    title = 'the first'
    measures = (Measure('cost', 'its cost', 'instructions'),)
    plots = (Plot('cost', 'vcpus', 'vCPUs', {}),)


class OtherPart(Part):
    """Never measured."""
    name = 'other'
    title = 'the second'
    measures = (Measure('cost', 'its cost', ''),)


class PageTest(unittest.TestCase):
    """What is written, and what stays."""

    def test_what_was_measured_is_shown(self) -> None:
        results = Results('one', [made({'vcpus': 1}, 'ours', 0,
                                       {'cost': [7]}, SOMEBODY)])
        text = page({'other': OtherPart(), 'one': OnePart()},
                    {'one': results, 'gone': Results('gone'),
                     'other': Results('other')})
        for words in ('## one: the first',
                      '\n\nmeasured by somebody, runs 1.\n\n',
                      '(one.svg)', '**Its cost** (instructions)',
                      '| 1 vCPU  |    7 |'):
            self.assertIn(words, text)
        self.assertNotIn('second', text)
        self.assertNotIn('gone', text)

    def test_who_measured_what(self) -> None:
        results = Results('one')
        for vcpus in 4, 1:
            for variant, repeats in (('stock', 2), ('ours', 1)):
                results.replace([made({'vcpus': vcpus}, variant, repeat, {},
                                      SOMEBODY) for repeat in range(repeats)])
        self.assertEqual(['measured by somebody, runs 1 to 2.'],
                         made_with(results))
        results.replace([made({'vcpus': 1}, 'ours', 0, {},
                              {'measured by': 'another'})])
        self.assertEqual(
            ['- measured by somebody, runs 1 to 2: 1 vCPU (stock); 4 vCPUs.',
             '- measured by another, runs 1: 1 vCPU (ours).'],
            made_with(results))

    def test_what_failed_is_said(self) -> None:
        results = Results('one')
        for variant, errors in (('stock', ('', 'no X, but: Y')),
                                ('ours', ('', ''))):
            results.replace([made({'vcpus': 1}, variant, repeat, {'cost': [7]},
                                  SOMEBODY, [error] if error else [])
                             for repeat, error in enumerate(errors)])
        said = ('1 vCPU: 1 of 3 runs of stock failed, and no figure has '
                'them: `no X, but: Y`')
        self.assertEqual([said], failed(results))
        self.assertIn(f'\n\n{said}\n\n![',
                      page({'one': OnePart()}, {'one': results}))

    def test_what_is_written_by_hand_stays(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / 'README.md'
            update(file, 'first\n')
            self.assertEqual(f'{MARK}\nfirst\n', file.read_text())
            file.write_text(f'by hand\n{file.read_text()}')
            update(file, 'second\n')
            self.assertEqual(f'by hand\n{MARK}\nsecond\n', file.read_text())
            file.write_text('by hand\n')
            update(file, 'third\n')
            self.assertEqual(f'by hand\n\n{MARK}\nthird\n',
                             file.read_text())


if __name__ == '__main__':
    unittest.main()
