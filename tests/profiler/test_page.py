# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile as tables."""

import unittest
from collections import Counter

from profiler.counts import AFTER_VMRUN, GUEST, Window
from profiler.page import difference, functions, parts, phases, section
from profiler.symbols import Function, Symbols

WINDOW = Window(2, {
    GUEST: Counter({0xffffffff81000000: 1}),
    AFTER_VMRUN: Counter({0xffffffffc0000000: 10}),
    0xffffffff81000100: Counter({0xffffffff81000100: 80,
                                 0xffffffffc0000004: 9})})
MREMAP = Function('Linux', 'mremap')
RUN = Function('kvm', 'run')


class PageTest(unittest.TestCase):
    """Sums, and what is said of them."""

    def setUp(self) -> None:
        self.symbols = Symbols()
        self.symbols.add_kernel(['ffffffff81000000 T start',
                                 'ffffffff81000100 T mremap',
                                 'ffffffffc0000000 t run [kvm]'])

    def test_sums(self) -> None:
        self.assertEqual(
            {'the guest': 1, 'mremap()': 89,
             'KVM, from the guest to the emulator or back': 10},
            phases(WINDOW, self.symbols))
        found = functions(WINDOW, self.symbols)
        self.assertEqual({MREMAP: 80, RUN: 19, Function('Linux', 'start'): 1},
                         found)
        self.assertEqual({'Linux': 81, 'kvm': 19}, parts(found))

    def test_section(self) -> None:
        text = section('A remap', WINDOW, self.symbols)
        self.assertIn('## A remap\n\n100 instructions.\n', text)
        self.assertRegex(text, r'\| Linux: mremap +\| +80 \| 80.0 % \|')

    def test_difference(self) -> None:
        text = difference('More', {MREMAP: 80, RUN: 20},
                          {MREMAP: 81, Function('kvm', 'walk'): 50})
        self.assertIn('## More\n\n31 instructions.\n', text)
        self.assertRegex(text, r'(?s)walk +\| +50 .*run +\| +-20 .*mremap')


if __name__ == '__main__':
    unittest.main()
