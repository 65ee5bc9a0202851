# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared depends on what the emulator can do."""

import tempfile
import unittest
from pathlib import Path

from benchmark.variant import variants

HELP = '''xen-overlay options:
  default-vcpu-info=<str> -  (default: "auto")
  shared-info=<str>      -  (default: "auto")
'''


class VariantTest(unittest.TestCase):
    """With emulators that say what they have."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='benchmark test.')
        self.addCleanup(scratch.cleanup)
        self.emulator = Path(scratch.name) / 'qemu'

    def found(self, properties: str) -> list[tuple[str, list[str]]]:
        """Names and arguments of the variants."""
        self.emulator.write_text(f'#!/bin/sh\ncat <<end\n{properties}end\n')
        self.emulator.chmod(0o755)
        return [(variant.name, variant.arguments())
                for variant in variants(self.emulator, Path('/stock'))]

    def test_without_the_property(self) -> None:
        self.assertEqual([('stock', []), ('ours', [])], self.found(HELP))

    def test_with_it(self) -> None:
        text = f'{HELP}  remap-method=<str> - how (default: "auto")\n'
        self.assertEqual(
            [('stock', []),
             ('ours (memslot)',
              ['-global', 'xen-overlay.remap-method=memslot']),
             ('ours (host-page)',
              ['-global', 'xen-overlay.remap-method=host-page'])],
            self.found(text))


if __name__ == '__main__':
    unittest.main()
