# SPDX-License-Identifier: GPL-2.0-or-later
"""In which order, and in which nested host, things are measured."""

import unittest

from benchmark.job import Job, groups
from benchmark.part import Part
from benchmark.variant import Variant

STOCK = Variant('stock', '/stock')
OURS = Variant('ours', '/ours')
ASIDE = Variant('ours (memslot)', '/ours')


class Shared(Part):
    """Any host will do."""


class Alone(Part):
    """A host of its own."""
    own_host = True


class JobTest(unittest.TestCase):
    """Orders and groups."""

    def test_in_turn(self) -> None:
        job = Job(Part(), {}, [(STOCK, 3), (OURS, 3), (ASIDE, 1)])
        self.assertEqual(
            [(STOCK, 0), (OURS, 0), (ASIDE, 0), (OURS, 1), (STOCK, 1),
             (STOCK, 2), (OURS, 2)], job.order())

    def test_groups(self) -> None:
        alone, shared = Alone(), Shared()
        jobs = [Job(part, {'vcpus': number}, []) for number, part in enumerate(
            (alone, alone, shared, shared, Shared(), alone, shared))]
        self.assertEqual([[0], [1], [2, 3], [4], [5], [6]],
                         [[job.configuration['vcpus'] for job in group]
                          for group in groups(jobs)])
        self.assertEqual([], groups([]))


if __name__ == '__main__':
    unittest.main()
