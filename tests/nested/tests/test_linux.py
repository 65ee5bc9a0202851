# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels by name: what is made, and when it is not made again."""

import dataclasses
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from nested import kernel, linux

RECIPE = linux.Recipe(suite='a', options=('ONE',))


class LinuxTest(unittest.TestCase):
    """Without the archive: making is mocked."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.kernels = Path(scratch.name) / 'kernels'
        self.patches = Path(scratch.name) / 'patches'
        self.patches.mkdir()
        self.made = 0
        for replaced in (
                mock.patch.object(linux, 'KERNELS', self.kernels),
                mock.patch.object(linux, '_make', self.make),
                mock.patch.dict(linux.RECIPES, {'some': RECIPE})):
            replaced.start()
            self.addCleanup(replaced.stop)

    def make(self, name: str, recipe: linux.Recipe) -> Path:
        """Leaves behind what the real one does."""
        self.made += 1
        folder = self.kernels / f'{name}-1.2'
        folder.mkdir(exist_ok=True)
        (self.kernels / f'{name}.made').write_text(
            f'{folder.name} {recipe.key()}\n')
        return folder

    def test_every_name_has_a_recipe(self) -> None:
        self.assertEqual({*kernel.NAMES, 'some'}, set(linux.RECIPES))

    def test_made_once(self) -> None:
        first = linux.folder('some')
        self.assertEqual(first, linux.folder('some'))
        self.assertEqual(1, self.made)

    def test_made_again_if_it_is_gone(self) -> None:
        linux.folder('some').rmdir()
        linux.folder('some')
        self.assertEqual(2, self.made)

    def test_made_again_for_another_recipe(self) -> None:
        linux.folder('some')
        for change in ({'suite': 'b'}, {'options': ('TWO',)},
                       {'patches': self.patches}):
            other = dataclasses.replace(RECIPE, **change)   # type: ignore
            (self.patches / '0001-one.patch').write_text('one')
            before = self.made
            with mock.patch.dict(linux.RECIPES, {'some': other}):
                linux.folder('some')
                linux.folder('some')
            self.assertEqual(before + 1, self.made, change)

    def test_made_again_for_another_patch(self) -> None:
        recipe = dataclasses.replace(RECIPE, patches=self.patches)
        (self.patches / '0000-cover-letter.txt').write_text('not a patch')
        with mock.patch.dict(linux.RECIPES, {'some': recipe}):
            for text in ('one', 'two'):
                (self.patches / '0001-one.patch').write_text(text)
                linux.folder('some')
                linux.folder('some')
        self.assertEqual(2, self.made)
        self.assertEqual(1, len(recipe.series()))

    def test_choice(self) -> None:
        self.assertEqual('mainline', kernel.chosen({}))
        self.assertEqual('gfn', kernel.chosen({'XEN_OVERLAY_KERNEL': 'gfn'}))
