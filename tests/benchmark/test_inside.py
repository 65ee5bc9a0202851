# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of runs that fail, and what is done after them."""

import contextlib
import io
import json
import signal
import unittest
from typing import Iterable

from benchmark.inside import RESULT, TIME_LIMIT, attempt, do, too_long
from benchmark.job import Job
from benchmark.part import Configuration, Part
from benchmark.samples import Samples
from benchmark.variant import Variant

STOCK = Variant('stock', '/stock')
OURS = Variant('ours', '/ours')
HANGS = 'RuntimeError: it hangs'


class Shaky(Part):
    """Works, or fails, as it was told before."""

    def __init__(self, works: Iterable[bool]) -> None:
        self._works = iter(works)

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        if not next(self._works):
            raise RuntimeError('it\nhangs')
        return {'cost': [1]}


class InsideTest(unittest.TestCase):
    """A job of one run of stock and one of ours."""

    def said(self, *works: bool) -> list[tuple[str, int, str]]:
        """Variant, attempts left, and the error, where attempts work or not;
        all of them must be made."""
        rest = iter(works)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            do(0, Job(Shaky(rest), {}, [(STOCK, 1), (OURS, 1)]))
        self.assertEqual([], list(rest))
        self.assertEqual(works.count(False),
                         err.getvalue().count('RuntimeError: it\n'))
        told = [json.loads(line.removeprefix(RESULT))
                for line in out.getvalue().splitlines()]
        self.assertEqual([one['error'] == '' for one in told],
                         [one['samples'] == {'cost': [1]} for one in told])
        return [(one['variant'], one['left'], one['error']) for one in told]

    def test_all_work(self) -> None:
        self.assertEqual([('stock', 2, ''), ('ours', 0, '')],
                         self.said(True, True))

    def test_stock_is_tried_again(self) -> None:
        self.assertEqual(
            [('stock', 2, HANGS), ('stock', 1, ''), ('ours', 0, '')],
            self.said(False, True, True))

    def test_stock_never_works(self) -> None:
        self.assertEqual(
            [('stock', 2, HANGS), ('stock', 1, HANGS), ('stock', 0, HANGS)],
            self.said(False, False, False))

    def test_too_long(self) -> None:
        """Time is up in the first attempt; which is none of its work's."""
        class Slow(Part):
            """Does not end by itself, once."""
            slow = True

            def run(self, variant: Variant,
                    configuration: Configuration) -> Samples:
                if self.slow:
                    self.slow = False
                    signal.raise_signal(signal.SIGALRM)
                return {'left': [signal.getitimer(signal.ITIMER_REAL)[0]]}

        before = signal.signal(signal.SIGALRM, too_long)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        job = Job(Slow(), {}, [])
        with contextlib.redirect_stderr(io.StringIO()):
            first = attempt(job, STOCK, 0, 2)
        self.assertIsNone(first.samples)
        self.assertRegex(first.error, f'TimeoutError: .* {TIME_LIMIT} s')
        second = attempt(job, STOCK, 0, 1).samples
        assert second is not None
        self.assertAlmostEqual(TIME_LIMIT, second['left'][0], delta=30)
        self.assertEqual(0, signal.getitimer(signal.ITIMER_REAL)[0])

    def test_ours_may_not_fail(self) -> None:
        self.assertEqual([('stock', 2, ''), ('ours', 0, HANGS)],
                         self.said(True, False))


if __name__ == '__main__':
    unittest.main()
