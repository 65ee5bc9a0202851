# SPDX-License-Identifier: GPL-2.0-or-later
"""What ./bench measures, and what it forgets."""

import argparse
import unittest
from pathlib import Path

from bench import forget, plan
from benchmark.part import Configuration, Part
from benchmark.results import Results, made
from benchmark.variant import OURS, OURS_BY_MEMSLOT, STOCK, XEN, variants

SMALL: Configuration = {'vcpus': 1}
LARGE: Configuration = {'vcpus': 41}


class OnePart(Part):
    """By memslot only in the small machine."""
    name = 'one'
    variants = (STOCK, OURS, OURS_BY_MEMSLOT)

    def configurations(self, quick: bool) -> list[Configuration]:
        return [SMALL] if quick else [SMALL, LARGE]

    def repeats(self, configuration: Configuration, variant: str,
                asked: int) -> int:
        if variant == OURS_BY_MEMSLOT:
            return int(configuration == SMALL)
        return asked


class PlanTest(unittest.TestCase):
    """Of a part of which there are results."""

    def setUp(self) -> None:
        self.results = Results('one')
        for configuration in SMALL, LARGE, {'vcpus': 2}:
            for variant in STOCK, OURS, OURS_BY_MEMSLOT, XEN:
                self.results.replace([
                    made(configuration, variant, repeat, {}, {})
                    for repeat in range(2 if configuration == SMALL else 1)])

    def planned(self, **arguments: object) -> list[tuple[Configuration,
                                                         dict[str, int]]]:
        """Each machine, and how often each variant is measured in it."""
        before = list(self.results.runs)
        jobs = plan(OnePart(), self.results,
                    variants(Path('/ours'), Path('/stock')),
                    argparse.Namespace(**{
                        'quick': False, 'missing': False, 'machine': '',
                        'repeats': 2, **arguments}))
        self.assertEqual(before, self.results.runs)
        return [(job.configuration, {variant.name: repeats for variant, repeats
                                     in job.variants}) for job in jobs]

    def test_all(self) -> None:
        self.assertEqual([(SMALL, {STOCK: 2, OURS: 2, OURS_BY_MEMSLOT: 1}),
                          (LARGE, {STOCK: 2, OURS: 2})], self.planned())

    def test_some(self) -> None:
        self.assertEqual([SMALL], [machine for machine, _
                                   in self.planned(quick=True)])
        for name, machines in (('41', [LARGE]), ('1 vCPU', [SMALL]),
                               ('vCPU', [SMALL, LARGE]), ('2', [])):
            self.assertEqual(machines, [machine for machine, _
                                        in self.planned(machine=name)])

    def test_missing(self) -> None:
        for repeats, machines in ((1, []), (2, [LARGE]), (3, [SMALL, LARGE])):
            self.assertEqual(machines, [machine for machine, _ in self.planned(
                missing=True, repeats=repeats)])

    def test_what_is_not_measured_any_more(self) -> None:
        forget(OnePart(), self.results,
               argparse.Namespace(quick=False, repeats=2))
        self.assertEqual([SMALL, LARGE], self.results.configurations())
        for configuration, by_memslot in (SMALL, 2), (LARGE, 0):
            self.assertEqual(by_memslot, self.results.count(
                configuration, OURS_BY_MEMSLOT))
            self.assertGreater(self.results.count(configuration, XEN), 0)


if __name__ == '__main__':
    unittest.main()
