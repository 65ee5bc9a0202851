# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that share a nested host; the host is a stand-in here."""

import functools
import io
import unittest
from unittest import mock

import pycotap
from overlay_test import place


class StandIn:
    """Says for each test what it is told to, then ends."""

    # What the hosts say one after another, and which tests they were given.
    says: list[tuple[list[bytes], int]] = []
    given: list[list[str]] = []

    def __init__(self, **_: object) -> None:
        self.console = 'the console'

    def run(self, argv, stdout, **_: object) -> int:
        StandIn.given.append(list(argv[argv.index('/usr/bin/python3') + 2:]))
        chunks, status = StandIn.says.pop(0)
        for chunk in chunks:
            stdout.write(chunk)
        return status


@functools.cache
def sample_class() -> type[unittest.TestCase]:
    """Not found by the test runner; whether it passes is nobody's question."""
    def passes(_: unittest.TestCase) -> None:
        pass

    return type('Sample', (unittest.TestCase,),
                {name: passes for name in ('test_a', 'test_b', 'test_c')})


def sample(name: str) -> unittest.TestCase:
    """One of its tests."""
    return sample_class()(name)


class Place(unittest.TestCase):
    """run_in_nested_host()"""

    def setUp(self) -> None:
        StandIn.given = []
        self.addCleanup(place._expected.clear)
        self.addCleanup(place._hosts.clear)
        for patch in (mock.patch('nested.host.NestedHost', StandIn),
                      mock.patch.object(place, '_what_it_needs',
                                        lambda test: ([], {}))):
            patch.start()
            self.addCleanup(patch.stop)

    def verdicts(self, *says: tuple[list[bytes], int]
                 ) -> list[place.Verdict]:
        """Of all three tests."""
        StandIn.says = list(says)
        return [place.run_in_nested_host(sample(name))
                for name in ('test_a', 'test_b', 'test_c')]

    def expect_all(self) -> None:
        """As the program does."""
        place.expect(map(sample, ('test_a', 'test_b', 'test_c')))

    def test_fails_twice(self) -> None:
        """By itself and in tearDown(); the next one's outcome is its own."""
        self.expect_all()
        outcomes = [verdict.passed for verdict in self.verdicts(([
            b'not ok 1 __main__.Sample.test_a\n'
            b'not ok 1 __main__.Sample.test_a\n'
            b'ok 2 __main__.Sample.test_b\n'
            b'ok 3 __main__.Sample.test_c\n'], 1))]
        self.assertEqual([False, True, True], outcomes)

    def test_one_host(self) -> None:
        self.expect_all()
        a, b, c = self.verdicts(([
            b'TAP version 13\nok 1 __main__.Sample.te', b'st_a\nno good\nnot ',
            b'ok 2 __main__.Sample.test_b\n'
            b'ok 3 __main__.Sample.test_c # SKIP not here\n1..3\n'], 1))
        self.assertEqual([['Sample.test_a', 'Sample.test_b',
                           'Sample.test_c']], StandIn.given)
        self.assertTrue(a.passed)
        self.assertFalse(b.passed)
        self.assertIn('no good', b.output)
        self.assertNotIn('test_a', b.output)
        self.assertEqual('not here', c.skipped)

    def test_host_ends(self) -> None:
        """A test that takes its host along fails; the next gets another."""
        self.expect_all()
        a, b, c = self.verdicts(
            ([b'ok 1 __main__.Sample.test_a\n', b'panic\n'], 125),
            ([b'ok 1 __main__.Sample.test_c\n'], 0))
        self.assertEqual(['Sample.test_c'], StandIn.given[1])
        self.assertTrue(a.passed)
        self.assertFalse(b.passed)
        self.assertIn('panic', b.output)
        self.assertIn('125', b.output)
        self.assertTrue(c.passed)

    def test_host_fails(self) -> None:
        self.expect_all()
        with mock.patch.object(StandIn, 'run', side_effect=OSError('no host')):
            with self.assertRaisesRegex(OSError, 'no host'):
                place.run_in_nested_host(sample('test_a'))

    def test_alone(self) -> None:
        """Who is not expected gets a host of its own."""
        passed = [([b'ok 1 __main__.Sample.test_%c\n' % name], 0)
                  for name in b'abc']
        self.assertTrue(all(v.passed for v in self.verdicts(*passed)))
        self.assertEqual(3, len(StandIn.given))

    def test_pycotap(self) -> None:
        """The outcome's form is what pycotap prints."""
        out = io.StringIO()
        pycotap.TAPTestRunner(output_stream=out, error_stream=out,
                              message_log=pycotap.LogMode.LogToError,
                              test_output_log=pycotap.LogMode.LogToError
                              ).run(sample('test_a'))
        found = place.OUTCOME.search(out.getvalue())
        assert found
        self.assertEqual('Sample.test_a', found.group(2))


if __name__ == '__main__':
    unittest.main()
