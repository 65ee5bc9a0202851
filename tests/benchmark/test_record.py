# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept when something is measured anew, whole or not."""

import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from benchmark.attempt import Attempt
from benchmark.job import Job
from benchmark.part import Configuration, Measure, Part
from benchmark.record import Record
from benchmark.results import Results, made, read, write
from benchmark.variant import Variant

SMALL: Configuration = {'vcpus': 1}
LARGE: Configuration = {'vcpus': 4}
OLD = {'measured by': 'an old one'}
NEW = {'measured by': 'a new one'}


class OnePart(Part):
    """With a measure."""
    name = 'one'
    measures = (Measure('cost', 'its cost', ''),)


class RecordTest(unittest.TestCase):
    """Two machines that were measured before are to be measured anew."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        quiet = patch('benchmark.record.note')
        quiet.start()
        self.addCleanup(quiet.stop)
        self.file = Path(folder.name) / 'results.json'
        old = Results('one')
        for configuration in SMALL, LARGE:
            for variant in 'stock', 'ours', 'real Xen':
                old.replace([made(configuration, variant, 0, {'cost': [1]},
                                  OLD)])
        write(self.file, {'one': old})
        self.jobs = [Job(OnePart(), configuration,
                         [(Variant('stock', '/s'), 2), (Variant('ours', '/'),
                                                        1)])
                     for configuration in (SMALL, LARGE)]
        self.record = Record(read(self.file), self.file, NEW, self.jobs)

    def values(self, configuration: Configuration) -> dict[str, list[float]]:
        """What the file has of a machine."""
        found: dict[str, list[float]] = {}
        for run in read(self.file)['one'].runs:
            if run.configuration == configuration:
                found.setdefault(run.variant, []).append(run.values['cost'])
                self.assertEqual(OLD if run.values['cost'] == 1 else NEW,
                                 run.about)
        return found

    def take(self, number: int, *runs: tuple[str, int]) -> None:
        """Runs of a job, each of which costs 2."""
        for variant, repeat in runs:
            self.record.take(self.jobs[number], Attempt(variant, repeat, 0,
                                                        {'cost': [2]}))

    def miss(self, variant: str, repeat: int, left: int) -> None:
        """An attempt at a run of the first job."""
        self.record.take(self.jobs[0], Attempt(variant, repeat, left, None,
                                               f'error {left}'))

    def test_nothing_measured(self) -> None:
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [1]},
                         self.values(SMALL))

    def test_interrupted(self) -> None:
        self.take(0, ('stock', 0), ('ours', 0))
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [1]},
                         self.values(SMALL))

    def test_one_of_two(self) -> None:
        self.take(0, ('stock', 0), ('ours', 0), ('stock', 1))
        self.take(1, ('stock', 0))
        self.assertEqual({'stock': [2, 2], 'ours': [2], 'real Xen': [1]},
                         self.values(SMALL))
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [1]},
                         self.values(LARGE))

    def test_beside(self) -> None:
        self.record.take_other(self.jobs[0], 'real Xen', {'cost': [2]})
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [2]},
                         self.values(SMALL))

    def test_failed(self) -> None:
        self.take(0, ('stock', 0))
        self.miss('ours', 0, 0)
        self.take(1, ('stock', 0), ('ours', 0), ('stock', 1))
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [1]},
                         self.values(SMALL))
        self.assertEqual({'stock': [2, 2], 'ours': [2], 'real Xen': [1]},
                         self.values(LARGE))
        self.assertEqual(['one, 1 vCPU: ours, run 1: error 0'],
                         self.record.failures)

    def errors(self, configuration: Configuration) -> dict[str, list[str]]:
        """Why attempts failed in a machine, by the file."""
        results = read(self.file)['one']
        return {variant: results.failed(configuration, variant)
                for variant in ('stock', 'ours')}

    def test_tried_again(self) -> None:
        self.take(0, ('stock', 0), ('ours', 0))
        self.miss('stock', 1, 2)
        self.miss('stock', 1, 1)
        self.take(0, ('stock', 1))
        self.assertEqual({'stock': [2, 2], 'ours': [2], 'real Xen': [1]},
                         self.values(SMALL))
        self.assertEqual({'stock': ['error 2', 'error 1'], 'ours': []},
                         self.errors(SMALL))
        self.assertEqual([], self.record.failures)

    def test_tried_again_in_vain(self) -> None:
        for left in 2, 1, 0:
            self.miss('stock', 0, left)
        self.take(1, ('stock', 0), ('ours', 0), ('stock', 1))
        self.assertEqual({'stock': [1], 'ours': [1], 'real Xen': [1]},
                         self.values(SMALL))
        self.assertEqual({'stock': [], 'ours': []}, self.errors(LARGE))
        self.assertEqual(['one, 1 vCPU: stock, run 1: error 0'],
                         self.record.failures)

    def test_host_gone(self) -> None:
        """What was done stays, and the rest has failed: the machine that was
        being measured and those after it."""
        self.take(0, ('stock', 0), ('ours', 0), ('stock', 1))
        self.record.take(self.jobs[1], Attempt('stock', 0, 2, None, 'error'))
        self.record.give_up_rest(self.jobs, 'no host')
        self.assertEqual({'stock': [2, 2], 'ours': [2], 'real Xen': [1]},
                         self.values(SMALL))
        self.assertEqual(['one, 4 vCPUs: no host'], self.record.failures)

    def test_host_gone_after_failures(self) -> None:
        """What has failed is not said twice, and of what failed in one machine
        nothing is left for another."""
        self.miss('ours', 0, 0)
        self.take(1, ('stock', 0), ('ours', 0), ('stock', 1))
        self.record.give_up_rest(self.jobs, 'no host')
        self.assertEqual(['one, 1 vCPU: ours, run 1: error 0'],
                         self.record.failures)
        self.assertEqual({'stock': [], 'ours': []}, self.errors(LARGE))


if __name__ == '__main__':
    unittest.main()
