# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of runs that fail, and what is done after them."""

import contextlib
import io
import json
import unittest
from typing import Iterable

from benchmark.inside import RESULT, do
from benchmark.job import Job
from benchmark.part import Configuration, Part
from benchmark.samples import Samples
from benchmark.variant import Variant

STOCK = Variant('stock', '/stock')
OURS = Variant('ours', '/ours')


class Shaky(Part):
    """Works, or fails, as it was told before."""

    def __init__(self, works: Iterable[bool]) -> None:
        self._works = iter(works)

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        if not next(self._works):
            raise RuntimeError('it hangs')
        return {'cost': [1]}


class InsideTest(unittest.TestCase):
    """A job of one run of stock and one of ours."""

    def said(self, *works: bool) -> list[tuple[str, int, bool]]:
        """Variant, attempts left, and whether there are samples, where
        attempts work or not; all of them must be made."""
        rest = iter(works)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            do(0, Job(Shaky(rest), {}, [(STOCK, 1), (OURS, 1)]))
        self.assertEqual([], list(rest))
        self.assertEqual(works.count(False),
                         err.getvalue().count(': it hangs'))
        told = [json.loads(line.removeprefix(RESULT))
                for line in out.getvalue().splitlines()]
        return [(one['variant'], one['left'], one['samples'] is not None)
                for one in told]

    def test_all_work(self) -> None:
        self.assertEqual([('stock', 2, True), ('ours', 0, True)],
                         self.said(True, True))

    def test_stock_is_tried_again(self) -> None:
        self.assertEqual(
            [('stock', 2, False), ('stock', 1, True), ('ours', 0, True)],
            self.said(False, True, True))

    def test_stock_never_works(self) -> None:
        self.assertEqual(
            [('stock', 2, False), ('stock', 1, False), ('stock', 0, False)],
            self.said(False, False, False))

    def test_ours_may_not_fail(self) -> None:
        self.assertEqual([('stock', 2, True), ('ours', 0, False)],
                         self.said(True, False))


if __name__ == '__main__':
    unittest.main()
