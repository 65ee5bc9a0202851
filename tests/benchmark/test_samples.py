# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a guest says to a figure."""

import unittest

from benchmark.samples import (figure, read_samples, run_value,
                               without_highest)


class SamplesTest(unittest.TestCase):
    """Lines, runs, figures."""

    def test_lines_of_a_guest(self) -> None:
        said = ('option loops=3\r\nBENCH exit 5 6 7\r\nDONE\r\n'
                'BENCH touch-after 18446744073709551615\r\n')
        self.assertEqual({'exit': [5, 6, 7],
                          'touch-after': [18446744073709551615.0]},
                         read_samples(said))

    def test_what_is_no_such_line(self) -> None:
        for said in ('', 'BENCH exit', 'BENCH exit 1 -2\n', 'BENCH exit 1 x\n',
                     'a BENCH exit 1\n'):
            self.assertEqual({}, read_samples(said), said)

    def test_a_dear_one_in_ten_counts(self) -> None:
        self.assertEqual(19, run_value([10] * 9 + [100]))

    def test_a_dear_one_in_a_hundred_may_be_left_out(self) -> None:
        self.assertEqual([1] * 98, without_highest([100, 99] + [1] * 98))
        self.assertEqual([1, 2], without_highest([9, 2, 1]))

    def test_a_disturbed_run_does_not(self) -> None:
        found = figure([100, 1000, 101])
        self.assertEqual(101, found.median)
        self.assertEqual((100, 1000), (found.low, found.high))
        self.assertAlmostEqual(899 / 101, found.spread)

    def test_spread_of_runs_below_the_median(self) -> None:
        self.assertAlmostEqual(0.5, figure([100, 50, 101]).spread)

    def test_one_run_and_none_of_it(self) -> None:
        self.assertEqual(0, figure([7]).spread)
        self.assertEqual(0, figure([0, 0]).spread)
        with self.assertRaises(Exception):
            figure([])


if __name__ == '__main__':
    unittest.main()
