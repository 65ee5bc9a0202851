# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths inside mean what they mean outside."""

import os
import tempfile
import unittest
from pathlib import Path

from nested.errors import NestedError
from nested.tree import Tree


class TreeTest(unittest.TestCase):
    """Each test has a folder self.top, without links in its own path."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name).resolve() / 'outside'
        self.inside = self.top.parent / 'inside'
        self.top.mkdir()
        self.inside.mkdir()

    def written(self, tree: Tree) -> Path:
        """The place inside that is self.top outside."""
        tree.write(self.inside)
        return Path(f'{self.inside}{self.top}')

    def test_folder_is_taken_with_all_below(self) -> None:
        (self.top / 'a/b').mkdir(parents=True)
        (self.top / 'a/b/file').write_bytes(b'x\0y')
        (self.top / 'a/tool').write_text('#!')
        (self.top / 'a/tool').chmod(0o755)
        tree = Tree()
        tree.add(self.top / 'a')
        place = self.written(tree)
        self.assertEqual((place / 'a/b/file').read_bytes(), b'x\0y')
        self.assertTrue(os.access(place / 'a/tool', os.X_OK))

    def test_link_on_the_way_stays_a_link(self) -> None:
        (self.top / 'usr/lib').mkdir(parents=True)
        (self.top / 'usr/lib/libx.so.1.2').write_text('x')
        (self.top / 'usr/lib/libx.so.1').symlink_to('libx.so.1.2')
        (self.top / 'lib').symlink_to('usr/lib')
        tree = Tree()
        tree.add(self.top / 'lib/libx.so.1')
        place = self.written(tree)
        self.assertEqual(os.readlink(place / 'lib'), 'usr/lib')
        self.assertEqual(os.readlink(place / 'usr/lib/libx.so.1'),
                         'libx.so.1.2')
        self.assertEqual((place / 'usr/lib/libx.so.1.2').read_text(), 'x')

    def test_absolute_and_upward_links(self) -> None:
        (self.top / 'real').mkdir()
        (self.top / 'real/file').write_text('x')
        (self.top / 'one').symlink_to(self.top / 'real')
        (self.top / 'real/up').symlink_to('../one')
        tree = Tree()
        tree.add(self.top / 'real/up/file')
        place = self.written(tree)
        self.assertEqual(os.readlink(place / 'real/up'), '../one')
        self.assertEqual((place / 'real/file').read_text(), 'x')

    def test_link_in_a_folder_brings_its_file_but_no_folder(self) -> None:
        for name in ('given', 'other', 'big'):
            (self.top / name).mkdir()
        (self.top / 'other/file').write_text('x')
        (self.top / 'given/link').symlink_to('../other/file')
        (self.top / 'big/much').write_text('x')
        (self.top / 'given/folder').symlink_to('../big')
        (self.top / 'given/dangling').symlink_to('nowhere')
        tree = Tree()
        tree.add(self.top / 'given')
        place = self.written(tree)
        self.assertEqual((place / 'given/link').read_text(), 'x')
        self.assertEqual(os.readlink(place / 'given/folder'), '../big')
        self.assertFalse((place / 'big').exists())
        self.assertTrue((place / 'given/dangling').is_symlink())

    def test_circle_of_links_is_refused(self) -> None:
        (self.top / 'a').symlink_to('b')
        (self.top / 'b').symlink_to('a')
        with self.assertRaisesRegex(NestedError, 'circle'):
            Tree().add(self.top / 'a')

    def test_other_destination(self) -> None:
        (self.top / 'file').write_text('x')
        tree = Tree()
        tree.add_as(self.top / 'file', '/new/place/name')
        self.written(tree)
        self.assertEqual((self.inside / 'new/place/name').read_text(), 'x')

    def test_relative_destination_is_refused(self) -> None:
        with self.assertRaisesRegex(NestedError, 'absolute'):
            Tree().add_as(self.top, 'relative')

    def test_missing_file_is_named(self) -> None:
        with self.assertRaisesRegex(NestedError, 'absent.*no such file'):
            Tree().add(self.top / 'absent')
        with self.assertRaisesRegex(NestedError, 'absent.*no such file'):
            Tree().add_as(self.top / 'absent', '/x')

    def test_key_follows_inputs(self) -> None:
        path = self.top / 'file'
        path.write_text('x')

        def key(recipe: str = 'r') -> str:
            tree = Tree()
            tree.add(path)
            tree.add_data('/data', b'1')
            return tree.key(recipe)

        first = key()
        self.assertEqual(key(), first)
        self.assertNotEqual(key('other'), first)
        path.chmod(0o700)
        changed = key()
        self.assertNotEqual(changed, first)
        os.utime(path, ns=(0, 0))
        self.assertNotEqual(key(), changed)
        tree = Tree()
        tree.add(path)
        tree.add_data('/data', b'2')
        self.assertNotEqual(key(), tree.key('r'))
