# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers are made once, whole, and not kept for ever."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from nested.layer import Layer, prune
from nested.tree import Tree


class LayerTest(unittest.TestCase):
    """Each test has an empty cache in self.cache."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.cache = Path(scratch.name) / 'layers'
        self.steps = 0

    def layer(self, data: bytes, recipe: str = '') -> Layer:
        """A layer of one file that counts how often it is made."""
        def step(root: Path) -> None:
            self.assertEqual((root / 'a/file').read_bytes(), data)
            self.steps += 1

        tree = Tree()
        tree.add_data('/a/file', data)
        return Layer('try', tree, recipe, (step,), self.cache)

    def test_made_once_per_content_and_recipe(self) -> None:
        first = self.layer(b'1').archive()
        self.assertEqual(self.layer(b'1').archive(), first)
        self.assertEqual(self.steps, 1)
        self.assertNotEqual(self.layer(b'2').archive(), first)
        self.assertNotEqual(self.layer(b'1', 'other').archive(), first)
        self.assertEqual(self.steps, 3)

    def test_archive_lists_folders_first_and_belongs_to_root(self) -> None:
        archive = self.layer(b'1').archive()
        with open(archive, 'rb') as content:
            listing = subprocess.run(
                ['cpio', '-itvn', '--quiet'], stdin=content, check=True,
                stdout=subprocess.PIPE, text=True).stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in listing],
                         ['a', 'a/file'])
        for line in listing:
            self.assertEqual(line.split()[2:4], ['0', '0'])
        # Linux wants the next archive to begin at a multiple of four.
        self.assertEqual(archive.stat().st_size % 4, 0)

    def test_failed_step_leaves_nothing(self) -> None:
        def step(_root: Path) -> None:
            raise RuntimeError('step')

        with self.assertRaisesRegex(RuntimeError, 'step'):
            Layer('try', Tree(), '', (step,), self.cache).archive()
        self.assertEqual(os.listdir(self.cache), [])

    def test_prune_keeps_the_last_used_and_the_fresh(self) -> None:
        self.cache.mkdir()
        for age in range(5):
            path = self.cache / f'try-{age}.cpio'
            path.touch()
            if age:
                os.utime(path, (1000 - age, 1000 - age))
        (self.cache / 'other-9.cpio').touch()
        prune(self.cache, 'try', 2, 3600)
        self.assertEqual(sorted(os.listdir(self.cache)),
                         ['other-9.cpio', 'try-0.cpio', 'try-1.cpio'])
        prune(self.cache, 'try', 0, 3600)
        self.assertEqual(sorted(os.listdir(self.cache)),
                         ['other-9.cpio', 'try-0.cpio'])
