# SPDX-License-Identifier: GPL-2.0-or-later
"""Results are kept, found again, and drawn."""

import tempfile
import unittest
from pathlib import Path

from benchmark.part import Configuration, Measure, Part, Plot
from benchmark.plot import points, ratios
from benchmark.results import Results, made, read, write

SMALL: Configuration = {'vcpus': 1, 'memory': 128}
LARGE: Configuration = {'vcpus': 4, 'memory': 128}
OTHER: Configuration = {'vcpus': 4, 'memory': 128, 'pages': '4 KiB'}
FIRST = {'emulator': 'X'}


class OnePart(Part):
    """With what only some have."""
    measures = tuple(Measure(key, title, unit) for key, title, unit in (
        ('remap', 'a remap', 'ns'), ('only', 'what only ours has', 'ns'),
        ('rare', 'a', 'ns'), ('none', 'b', 'ns'), ('never', 'c', 'ns'),
        ('count', 'how many there were', '')))


def some_results() -> Results:
    """Two machines, two variants, one of them twice."""
    results = Results('remap')
    for configuration, factor in ((LARGE, 2), (SMALL, 1), (OTHER, 5)):
        results.runs += [
            made(configuration, 'stock', 0, {'remap': [100 * factor]}, FIRST),
            made(configuration, 'ours', 0, {'remap': [10, 20], 'only': [1]},
                 FIRST),
            made(configuration, 'ours', 1, {'remap': [25]}, FIRST)]
    return results


class ResultsTest(unittest.TestCase):
    """What was put in is found."""

    def setUp(self) -> None:
        self.results = some_results()

    def test_figures(self) -> None:
        found = self.results.figure('remap', 'ours', SMALL)
        assert found
        self.assertEqual((20, 15, 25), (found.median, found.low, found.high))

    def test_what_was_not_measured(self) -> None:
        self.assertIsNone(self.results.figure('only', 'stock', SMALL))
        self.assertIsNone(self.results.figure('remap', 'none', SMALL))
        self.assertIsNone(self.results.figure('remap', 'ours', {'vcpus': 9}))

    def test_orders(self) -> None:
        self.assertEqual(['stock', 'ours'], self.results.variants())
        self.assertEqual([SMALL, LARGE, OTHER],
                         self.results.configurations())

    def test_written_and_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / 'results.json'
            self.assertEqual({}, read(file))
            both = {'remap': self.results, 'events': Results('events')}
            write(file, both)
            self.assertEqual(both, read(file))

    def test_a_machine_anew(self) -> None:
        self.assertEqual(2, self.results.count(SMALL, 'ours'))
        self.assertEqual(1, self.results.count(SMALL, 'stock'))
        self.results.replace([made(SMALL, 'ours', 0, {'remap': [9]}, {})])
        self.assertEqual(1, self.results.count(SMALL, 'ours'))
        self.assertEqual(1, self.results.count(SMALL, 'stock'))
        self.assertEqual(2, self.results.count(LARGE, 'ours'))
        self.results.keep(lambda configuration, variant:
                          configuration == SMALL and variant != 'stock')
        self.assertEqual(['ours'], self.results.variants())
        self.assertEqual([SMALL], self.results.configurations())

    def test_ratios_of_a_plot(self) -> None:
        self.results.runs += [
            made(SMALL, 'ours', 0, {'rare': [1], 'none': [0]}, FIRST),
            made(LARGE, 'stock', 0, {'rare': [0], 'none': [1]}, FIRST),
            made(SMALL, 'ours', 0, {'count': [3]}, FIRST),
            made(SMALL, 'stock', 0, {'count': [2]}, FIRST)]
        self.assertEqual({'a remap': {'1 vCPU, 128 MiB': 0.2,
                                      '4 vCPUs, 128 MiB': 0.1,
                                      '4 vCPUs, 128 MiB, pages 4 KiB': 0.04}},
                         ratios(OnePart(), self.results))

    def test_points_of_a_plot(self) -> None:
        plot = Plot('remap', 'vcpus', 'vCPUs', {'memory': 128})
        self.assertEqual([(1, 100, 100, 100), (4, 200, 200, 200)],
                         points(plot, self.results, 'stock'))
        self.assertEqual([(1, 20, 15, 25), (4, 20, 15, 25)],
                         points(plot, self.results, 'ours'))
        self.assertEqual([], points(
            Plot('remap', 'vcpus', 'vCPUs', {'memory': 64}), self.results,
            'ours'))


if __name__ == '__main__':
    unittest.main()
