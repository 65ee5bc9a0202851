# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared, and that each part knows which of it."""

import unittest
from pathlib import Path

from benchmark.parts import PARTS
from benchmark.variant import variants


class VariantTest(unittest.TestCase):
    """Names and arguments."""

    def setUp(self) -> None:
        self.found = {variant.name: variant for variant
                      in variants(Path('/ours'), Path('/stock'))}

    def test_emulators(self) -> None:
        self.assertEqual(
            {'stock': '/stock', 'ours': '/ours', 'ours (memslot)': '/ours'},
            {name: variant.emulator for name, variant in self.found.items()})

    def test_arguments(self) -> None:
        self.assertEqual([], self.found['ours'].arguments())
        self.assertEqual(['-global', 'xen-overlay.remap-method=memslot'],
                         self.found['ours (memslot)'].arguments())

    def test_parts(self) -> None:
        for name, part in PARTS.items():
            self.assertEqual(name, part.name)
            self.assertLessEqual(set(part.variants), set(self.found))
            keys = [measure.key for measure in part.measures]
            self.assertEqual(len(keys), len(set(keys)))
            self.assertLessEqual({plot.measure for plot in part.plots},
                                 set(keys))
            for quick in False, True:
                self.assertTrue(part.configurations(quick))


if __name__ == '__main__':
    unittest.main()
