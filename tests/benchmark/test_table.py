# SPDX-License-Identifier: GPL-2.0-or-later
"""What people read of the results."""

import unittest

from benchmark.part import Measure
from benchmark.results import Results, made
from benchmark.samples import Figure, Samples
from benchmark.table import (aligned, cell, machine, measure_rows, number,
                             ratio)


def exact(value: float) -> Figure:
    """A figure without spread."""
    return Figure(value, value, value)


class WordsTest(unittest.TestCase):
    """Numbers, ratios, machines."""

    def test_numbers(self) -> None:
        for value, text in ((0, '0'), (0.01, '0.01'), (12, '12'),
                            (12.5, '12.5'), (999, '999'), (999.6, '1.00 k'),
                            (6502, '6.50 k'), (129791, '130 k'),
                            (1654721, '1.65 M'), (999600, '1.00 M'),
                            (2.5e9, '2.50 G'), (1e12, '1000 G'),
                            (-6502, '-6.50 k')):
            self.assertEqual(text, number(value))

    def test_cells(self) -> None:
        self.assertEqual('-', cell(None))
        self.assertEqual('12', cell(exact(12)))
        self.assertEqual('100 ±2.0 %', cell(Figure(100, 99, 102)))
        self.assertEqual('1.00 M', cell(Figure(1e6, 1e6, 1e6 + 100)))

    def test_ratios(self) -> None:
        for ours, stock, text in ((100, 1500, '1/15.0'), (1, 250, '1/250'),
                                  (98, 100, '0.980'), (100, 98, '1.020'),
                                  (0, 6, '0'), (6, 0, '-'), (0, 0, '1'),
                                  (7, 7, '1')):
            self.assertEqual(text, ratio(exact(ours), exact(stock)))
        self.assertEqual('-', ratio(None, exact(1)))
        self.assertEqual('-', ratio(exact(1), None))

    def test_machines(self) -> None:
        self.assertEqual('1 vCPU, 128 MiB',
                         machine({'vcpus': 1, 'memory': 128}))
        self.assertEqual('4 vCPUs, pages 4 KiB',
                         machine({'vcpus': 4, 'pages': '4 KiB'}))


class TableTest(unittest.TestCase):
    """Rows and columns."""

    def setUp(self) -> None:
        self.results = Results('remap')
        for vcpus in 1, 4:
            for variant, value in (('stock', 150 * vcpus), ('ours', 10)):
                self.take(vcpus, variant, 0, {'remap': [value]})
        self.take(4, 'ours', 1, {'new': [3]})
        self.take(4, 'real Xen', 0, {'remap': [2]})

    def take(self, vcpus: int, variant: str, repeat: int,
             samples: Samples) -> None:
        """One more run."""
        self.results.runs.append(
            made({'vcpus': vcpus}, variant, repeat, samples, {}))

    def test_a_measure(self) -> None:
        self.assertEqual(
            [['machine', 'stock', 'ours', 'real Xen', 'ours : stock'],
             ['1 vCPU', '150', '10', '-', '1/15.0'],
             ['4 vCPUs', '600', '10', '2', '1/60.0']],
            measure_rows(Measure('remap', '', ''), self.results))

    def test_what_stock_does_not_have(self) -> None:
        self.assertEqual([['machine', 'ours'], ['4 vCPUs', '3']],
                         measure_rows(Measure('new', '', ''), self.results))

    def test_what_nobody_measured(self) -> None:
        self.assertEqual([], measure_rows(Measure('x', '', ''), self.results))

    def test_markdown(self) -> None:
        self.assertEqual('| m   | stock |\n'
                         '|-----|------:|\n'
                         '| one |     1 |\n',
                         aligned([['m', 'stock'], ['one', '1']]))


if __name__ == '__main__':
    unittest.main()
