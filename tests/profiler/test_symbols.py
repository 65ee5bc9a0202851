# SPDX-License-Identifier: GPL-2.0-or-later
"""Names for addresses."""

import unittest
from pathlib import Path

from profiler.symbols import LINUX, Function, Symbols

KALLSYMS = '''ffffffff81000000 T _stext
ffffffff81000100 t do_mremap
ffffffff81000180 D jiffies
ffffffffc0000000 t vcpu_run\t[kvm]
'''
LIBRARY = Path('/lib/x86_64-linux-gnu/libc.so.6')


class SymbolsTest(unittest.TestCase):
    """Of the kernel, its modules, a process."""

    def test_kernel(self) -> None:
        symbols = Symbols()
        symbols.add_kernel(KALLSYMS.splitlines())
        for address, part, name in (
                (0xffffffff81000000, LINUX, '_stext'),
                (0xffffffff810000ff, LINUX, '_stext'),
                (0xffffffff81000200, LINUX, 'do_mremap'),
                (0xffffffffc0000001, 'kvm', 'vcpu_run')):
            self.assertEqual(Function(part, name), symbols.find(address))
        self.assertEqual(Function('?', '0x1000'), symbols.find(0x1000))

    def test_process(self) -> None:
        # Where a symbol of that library is by itself: nobody knows, so it is
        # asked, and then looked for elsewhere.
        alone = Symbols()
        alone.add_file(LIBRARY, 0, 'c')
        offset = next(address for address in range(0x20000, 0x200000, 16)
                      if alone.find(address).name == 'mremap')
        symbols = Symbols()
        symbols.add_process(
            [f'7f0000000000-7f0000026000 r--p 00000000 00:02 16 {LIBRARY}',
             f'7f0000026000-7f0000200000 r-xp 00026000 00:02 16 {LIBRARY}',
             '7f0000300000-7f0000301000 r-xp 00000000 00:02 17 /not/there',
             '7ffe00000000-7ffe00001000 rw-p 00000000 00:00 0 [stack]'])
        self.assertEqual(Function('libc.so.6', 'mremap'),
                         symbols.find(0x7f0000000000 + offset))


if __name__ == '__main__':
    unittest.main()
