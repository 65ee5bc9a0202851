# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin wrote."""

import unittest

from profiler.counts import GUEST, USER, mean, read

TEXT = '''window 2
phase 0
100000 3 10
phase 7f00
ffff800000001000 4 1
ffff800000001000 2 5
window 2
phase 1
100000 3 2
window 1
'''


class CountsTest(unittest.TestCase):
    """Windows, phases, blocks."""

    def test_read(self) -> None:
        first, second, third = read(TEXT.splitlines())
        self.assertEqual({GUEST: {0x100000: 30},
                          0x7f00: {0xffff800000001000: 14}}, first.phases)
        self.assertEqual(44, first.total())
        self.assertEqual((2, {USER: {0x100000: 6}}),
                         (second.number, second.phases))
        self.assertEqual((1, {}), (third.number, third.phases))
        self.assertEqual([], read([]))

    def test_mean(self) -> None:
        made = mean(read(TEXT.splitlines())[:2], 4)
        self.assertEqual({GUEST: {0x100000: 7.5}, USER: {0x100000: 1.5},
                          0x7f00: {0xffff800000001000: 3.5}}, made.phases)


if __name__ == '__main__':
    unittest.main()
