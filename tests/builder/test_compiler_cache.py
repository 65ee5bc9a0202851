# SPDX-License-Identifier: GPL-2.0-or-later
"""Two builds side by side that share their objects, with a real ccache."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from builder import compiler_cache, ninja


@unittest.skipUnless(os.path.isdir(compiler_cache.LINKS),
                     'ccache is not installed')
class CompilerCacheTest(unittest.TestCase):
    """The layout is that of build/qemu* and build/stock/qemu*."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='builder-test.')
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name).resolve()
        for name, value in {'ROOT': self.root,
                            'COMPILER_CACHE': self.root / 'cache'}.items():
            replaced = mock.patch.object(compiler_cache, name, value)
            replaced.start()
            self.addCleanup(replaced.stop)

    def build(self, place: str, text: str, header: str) -> Path:
        """Compile `text` as QEMU's build does; returns the object."""
        source = self.root / place / 'qemu-src'
        build = self.root / place / 'qemu'
        (source / 'include').mkdir(parents=True)
        build.mkdir()
        (source / 'main.c').write_text(text)
        (source / 'include/main.h').write_text(header)
        (build / 'build.ninja').write_text(
            'rule c\n'
            f'  command = gcc -g -iquote {source}/include -MD -MQ $out '
            '-MF $out.d -c $in -o $out\n'
            'build main.o: c ../qemu-src/main.c\n')
        ninja.build(build, [], place)
        return build / 'main.o'

    def hits(self) -> int:
        """How many objects came from the cache so far."""
        output = subprocess.run(
            ['ccache', '--print-stats'], capture_output=True, text=True,
            check=True, env=compiler_cache.environment()).stdout
        counts = dict(line.split('\t') for line in output.splitlines())
        return int(counts['direct_cache_hit']) + \
            int(counts['preprocessed_cache_hit'])

    TEXT = '#include "main.h"\nint f(void) { return F; }\n'

    def test_same_source_elsewhere(self) -> None:
        ours = self.build('.', self.TEXT, '#define F 1\n')
        self.assertEqual(0, self.hits())
        stock = self.build('stock', self.TEXT, '#define F 1\n')
        self.assertEqual(1, self.hits())
        self.assertEqual(ours.read_bytes(), stock.read_bytes())
        # What it depends on is its own, or a change there would be missed.
        self.assertIn('../qemu-src/include/main.h',
                      stock.with_suffix('.o.d').read_text())

    def test_another_header(self) -> None:
        ours = self.build('.', self.TEXT, '#define F 1\n')
        stock = self.build('stock', self.TEXT, '#define F 2\n')
        self.assertEqual(0, self.hits())
        self.assertNotEqual(ours.read_bytes(), stock.read_bytes())


if __name__ == '__main__':
    unittest.main()
