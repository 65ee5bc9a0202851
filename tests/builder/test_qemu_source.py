# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's patched tree: made, changed, broken and put right."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from builder import qemu_source
from builder.say import UserError

FILES = {'configure': '#!/bin/sh\n', 'VERSION': '10.0.99\n',
         'main.c': 'int main(void)\n{\n    return 0;\n}\n',
         'hw/a file.c': 'one\ntwo\nthree\nfour\nfive\n',
         'subprojects/keycodemapdb.wrap': '[wrap-git]\n',
         # QEMU's own hides what its build needs.
         '.gitignore': '*.wrap\n'}


def patch(path: str, old: str, new: str) -> str:
    """A patch, as git format-patch writes it, of a file's first line."""
    rest = FILES[path].splitlines()[1:]
    diff = difflib.unified_diff([old, *rest], [new, *rest], f'a/{path}',
                                f'b/{path}', lineterm='')
    # A name with a space has a tab behind it.
    lines = [f'{line}\t' if line.startswith(('---', '+++')) and ' ' in path
             else line for line in diff]
    return (f'From {"0" * 40} Mon Sep 17 00:00:00 2001\n'
            'From: A Developer <a@example.org>\n'
            'Date: Wed, 1 Jan 2025 00:00:00 +0000\n'
            f'Subject: [PATCH] {path}: {new}\n\nWhy.\n\n---\n'
            f'diff --git a/{path} b/{path}\n' + '\n'.join(lines) + '\n')


def snapshot(tree: Path) -> dict[str, tuple[str, int]]:
    """Content and time of every file that is not git's or the link."""
    return {str(path.relative_to(tree)):
            (hashlib.sha256(path.read_bytes()).hexdigest(),
             path.stat().st_mtime_ns)
            for path in tree.rglob('*')
            if path.is_file() and '.git' not in path.relative_to(tree).parts}


class Bed(unittest.TestCase):
    """A project folder with a tiny QEMU of the user's and two patches."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='builder-test.')
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name).resolve()
        self.own = self.root / 'own qemu'
        self.patches = self.root / 'patches'
        self.build = self.root / 'build'
        self.tree = self.build / 'qemu-src'
        self.patches.mkdir()
        for name, text in FILES.items():
            file = self.own / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.write('0001-main.patch', patch('main.c', 'int main(void)',
                                            'int main(int n)'))
        self.write('0002-hw.patch', patch('hw/a file.c', 'one', 'ONE'))
        for name, value in {'ROOT': self.root, 'BUILD': self.build,
                            'PATCHES': self.patches,
                            'QEMU_SOURCE': self.tree}.items():
            replaced = mock.patch.object(qemu_source, name, value)
            replaced.start()
            self.addCleanup(replaced.stop)

    def write(self, name: str, text: str) -> None:
        """Write a patch."""
        (self.patches / name).write_text(text)

    def prepare(self, own: Path | None = None) -> str:
        """Prepare the tree; returns what was said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            qemu_source.prepare(self.tree, own or self.own)
        return said.getvalue()

    def git(self, *arguments: str) -> str:
        """Ask or change the tree as a developer does."""
        return subprocess.run(
            ['git', '-C', str(self.tree), '-c', 'user.name=A', '-c',
             'user.email=a@example.org', *arguments],
            check=True, capture_output=True, text=True).stdout

    def text(self, name: str) -> str:
        """A file of the tree."""
        return (self.tree / name).read_text()

    def first_lines(self) -> list[str]:
        """What the patches change."""
        return [self.text(name).split('\n', 1)[0]
                for name in ('main.c', 'hw/a file.c')]

    PATCHED = ['int main(int n)', 'ONE']


class SeriesTest(Bed):
    """The series on the base, and its changes."""

    def changed_by(self, *, said: str) -> set[str]:
        """Prepare again; returns the names of the files it wrote."""
        before = snapshot(self.tree)
        self.assertIn(said, self.prepare())
        after = snapshot(self.tree)
        return {name for name in {*before, *after}
                if before.get(name) != after.get(name)}

    def test_clean(self) -> None:
        self.assertIn('applying 2 patches', self.prepare())
        self.assertEqual(self.PATCHED, self.first_lines())
        self.assertEqual(FILES['hw/a file.c'][4:],
                         self.text('hw/a file.c')[4:])
        self.assertIn('subprojects/keycodemapdb.wrap\n',
                      self.git('ls-files'))
        self.assertEqual('', self.git('status', '--porcelain'))

    def test_again_touches_nothing(self) -> None:
        self.prepare()
        before = snapshot(self.tree)
        self.assertEqual('', self.prepare())
        self.assertEqual(before, snapshot(self.tree))

    def test_link_to_ourselves(self) -> None:
        link = self.tree / 'subprojects/xen-overlay'
        self.prepare()
        self.assertEqual(self.root, link.resolve())
        self.assertFalse(os.path.isabs(os.readlink(link)))
        link.unlink()
        link.symlink_to('/nonexistent')
        self.prepare()
        self.assertEqual(self.root, link.resolve())

    def test_edited_patch(self) -> None:
        self.prepare()
        self.write('0002-hw.patch', patch('hw/a file.c', 'one', 'Uno'))
        self.assertEqual({'hw/a file.c'},
                         self.changed_by(said='applying 2 patches'))
        self.assertEqual(['int main(int n)', 'Uno'], self.first_lines())
        # And back: that series is known.
        self.write('0002-hw.patch', patch('hw/a file.c', 'one', 'ONE'))
        self.assertEqual({'hw/a file.c'}, self.changed_by(said=''))
        self.assertEqual('', self.git('tag', '--list', 'saved-*'))

    def test_removed_and_added_patch(self) -> None:
        self.prepare()
        (self.patches / '0002-hw.patch').unlink()
        self.assertEqual({'hw/a file.c'},
                         self.changed_by(said='applying 1 patches'))
        self.write('0003-more.patch',
                   patch('main.c', 'int main(int n)', 'int main(long n)'))
        self.assertEqual({'main.c'}, self.changed_by(said='applying 2'))
        self.assertEqual(['int main(long n)', 'one'], self.first_lines())

    def test_reordered_patches(self) -> None:
        self.prepare()
        (self.patches / '0001-main.patch').rename(
            self.patches / '0003-main.patch')
        self.assertEqual(set(), self.changed_by(said='applying 2 patches'))
        self.assertIn('main.c', self.git('log', '-1', '--format=%s'))

    def test_patch_that_does_not_apply(self) -> None:
        self.prepare()
        before, head = snapshot(self.tree), self.git('rev-parse', 'HEAD')
        self.write('0002-hw.patch', patch('hw/a file.c', 'eins', 'ONE'))
        with self.assertRaises(UserError) as caught:
            self.prepare()
        message = str(caught.exception)
        self.assertIn('patches/0002-hw.patch does not apply to QEMU 10.0.99',
                      message)
        self.assertIn('CONTRIBUTING.md', message)
        self.assertIn('--with-qemu-source', message)
        self.assertNotIn('git am', message)
        self.assertEqual(before, snapshot(self.tree))
        self.assertEqual(head, self.git('rev-parse', 'HEAD'))
        self.assertEqual(1, len(self.git('worktree', 'list').splitlines()))


class RepairTest(Bed):
    """A tree that is not as the series says, and the work found in it."""

    def setUp(self) -> None:
        super().setUp()
        self.prepare()

    def test_half_applied(self) -> None:
        self.git('reset', '--quiet', '--hard', 'base')
        self.assertEqual('', self.prepare())
        self.assertEqual(self.PATCHED, self.first_lines())

    def test_changed_by_hand(self) -> None:
        (self.tree / 'main.c').write_text('mine\n')
        (self.tree / 'new file.c').write_text('new\n')
        (self.tree / 'hw/a file.c').unlink()
        said = self.prepare()
        self.assertIn('kept in its git tag saved-0', said)
        self.assertEqual(self.PATCHED, self.first_lines())
        self.assertFalse((self.tree / 'new file.c').exists())
        self.assertEqual('mine\n', self.git('show', 'saved-0:main.c'))
        self.assertEqual('new\n', self.git('show', 'saved-0:new file.c'))
        self.assertEqual('', self.prepare())

    def test_names_of_what_was_saved(self) -> None:
        for number, gone in ((0, ''), (1, 'saved-0'), (0, ''), (2, '')):
            (self.tree / 'main.c').write_text(f'mine {number} {gone}\n')
            self.assertIn(f'tag saved-{number}\n', self.prepare())
            if gone:
                self.git('tag', '--delete', gone)

    def test_staged_and_taken_back(self) -> None:
        """Dirty, and yet the same as HEAD."""
        good = self.text('main.c')
        (self.tree / 'main.c').write_text('mine\n')
        self.git('add', 'main.c')
        (self.tree / 'main.c').write_text(good)
        self.prepare()
        self.assertEqual('', self.git('status', '--porcelain'))

    def test_committed_by_hand(self) -> None:
        """A clean tree, but its commit is in no series."""
        (self.tree / 'main.c').write_text('mine\n')
        self.git('commit', '--quiet', '--all', '-m', 'mine')
        self.assertIn('tag saved-0', self.prepare())
        self.assertEqual(self.PATCHED, self.first_lines())
        self.assertEqual('mine\n', self.git('show', 'saved-0:main.c'))

    def test_committed_and_made_into_patches(self) -> None:
        """As CONTRIBUTING.md says: nothing is written, nothing to keep."""
        (self.tree / 'main.c').write_text('int main(char n)\n')
        self.git('commit', '--quiet', '--all', '--amend', '-m', 'hw: mine')
        for old in self.patches.iterdir():
            old.unlink()
        self.git('format-patch', '--quiet', '--zero-commit', '--no-signature',
                 '-N', '-o', str(self.patches), 'base')
        before = snapshot(self.tree)
        self.assertNotIn('saved', self.prepare())
        self.assertEqual(before, snapshot(self.tree))

    def test_rebase_left_half_way(self) -> None:
        self.git('checkout', '--quiet', '--detach', 'HEAD^')
        (self.tree / 'hw/a file.c').write_text('un\n')
        self.git('commit', '--quiet', '--all', '-m', 'mine')
        with self.assertRaises(subprocess.CalledProcessError):
            self.git('cherry-pick', 'main')
        self.assertIn('tag saved-0', self.prepare())
        self.assertEqual(self.PATCHED, self.first_lines())
        self.assertEqual('', self.prepare())

    def test_interrupted_run(self) -> None:
        for name in ('series.dead', 'qemu-src.dead'):
            (self.build / name / 'tree').mkdir(parents=True)
        self.git('worktree', 'add', '--quiet', '--detach',
                 str(self.build / 'series.gone/tree'), 'base')
        shutil.rmtree(self.build / 'series.gone')
        self.write('0002-hw.patch', patch('hw/a file.c', 'one', 'Uno'))
        self.prepare()
        self.assertEqual(['int main(int n)', 'Uno'], self.first_lines())
        self.assertEqual(1, len(self.git('worktree', 'list').splitlines()))

    def test_in_a_git_hook(self) -> None:
        """GIT_DIR is this project's there, not that of QEMU's tree."""
        project = self.root / 'project'
        subprocess.run(['git', 'init', '--quiet', str(project)], check=True)
        script = ('import sys; from pathlib import Path\n'
                  'from builder import qemu_source\n'
                  'root, tree, own = map(Path, sys.argv[1:])\n'
                  'qemu_source.ROOT = root; qemu_source.BUILD = root\n'
                  'qemu_source.PATCHES = root / "patches"\n'
                  'qemu_source.prepare(tree, own)\n')
        subprocess.run(
            ['/usr/bin/python3', '-c', script, str(self.root),
             str(self.root / 'other'), str(self.own)], check=True,
            capture_output=True,
            env={**os.environ, 'GIT_DIR': str(project / '.git'),
                 'GIT_INDEX_FILE': str(project / '.git/index')})
        self.assertFalse((project / '.git/index').exists())
        self.assertTrue((self.root / 'other/.git').is_dir())


class StockTest(Bed):
    """The tree without the patches, beside ours."""

    def setUp(self) -> None:
        super().setUp()
        self.stock = self.build / 'stock/qemu-src'
        self.prepare()
        self.prepare_stock()

    def prepare_stock(self) -> str:
        """Prepare it; returns what was said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            qemu_source.prepare_stock(self.tree, self.stock)
        return said.getvalue()

    def assert_stock(self) -> None:
        """It is the user's tree, and ours is still ours."""
        self.assertEqual(FILES, {name: (self.stock / name).read_text()
                                 for name in FILES})
        self.assertFalse((self.stock / 'subprojects/xen-overlay').exists())
        self.assertEqual(self.PATCHED, self.first_lines())
        self.assertEqual('', self.git('status', '--porcelain'))

    def test_clean(self) -> None:
        self.assert_stock()

    def test_again_touches_nothing(self) -> None:
        before = snapshot(self.stock)
        self.assertEqual('', self.prepare_stock())
        self.assertEqual(before, snapshot(self.stock))

    def test_a_change_of_the_series_is_none_of_its_business(self) -> None:
        before = snapshot(self.stock)
        (self.patches / '0002-hw.patch').unlink()
        self.prepare()
        self.assertEqual('', self.prepare_stock())
        self.assertEqual(before, snapshot(self.stock))

    def test_changed_by_hand(self) -> None:
        def changed() -> None:
            (self.stock / 'main.c').write_text('mine\n')

        def added() -> None:
            (self.stock / 'new.c').write_text('new\n')

        def on_our_series() -> None:
            self.git('-C', str(self.stock), 'checkout', '--quiet',
                     '--detach', 'main')

        for work in changed, added, on_our_series:
            with self.subTest(work.__name__):
                work()
                self.prepare_stock()
                self.assert_stock()
                self.assertFalse((self.stock / 'new.c').exists())

    def test_another_base(self) -> None:
        with open(self.own / 'hw/a file.c', 'a', encoding='ascii') as file:
            file.write('six\n')
        self.prepare()
        self.assertIn('without the patches', self.prepare_stock())
        self.assertIn('\nfive\nsix\n',
                      (self.stock / 'hw/a file.c').read_text())

    def test_removed(self) -> None:
        shutil.rmtree(self.stock)
        self.prepare_stock()
        self.assert_stock()

    def test_interrupted(self) -> None:
        """Git's own file is written before the others."""
        (self.stock / 'main.c').unlink()
        self.prepare_stock()
        self.assert_stock()


class VariantTest(Bed):
    """Stock QEMU with one patch of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.variant = self.build / 'variant/qemu-src'
        self.patch = self.root / 'alone.patch'
        self.patch.write_text(patch('main.c', 'int main(void)', 'alone'))
        self.prepare()
        self.prepare_variant()

    def prepare_variant(self) -> str:
        """Prepare it; returns what was said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            qemu_source.prepare_variant(self.patch, self.variant, self.tree)
        return said.getvalue()

    def assert_patched(self, line: str) -> None:
        for name in FILES:
            text = (self.variant / name).read_text()
            if name == 'main.c':
                self.assertEqual(line, text.splitlines()[0])
            else:
                self.assertEqual(FILES[name], text)
        self.assertEqual(self.PATCHED, self.first_lines())

    def test_patched(self) -> None:
        self.assert_patched('alone')

    def test_again_touches_nothing(self) -> None:
        before = snapshot(self.variant)
        self.assertEqual('', self.prepare_variant())
        self.assertEqual(before, snapshot(self.variant))

    def test_changed(self) -> None:
        (self.variant / 'VERSION').write_text('mine\n')
        self.prepare_variant()
        self.assert_patched('alone')

    def test_another_patch(self) -> None:
        self.patch.write_text(patch('main.c', 'int main(void)', 'other'))
        self.prepare_variant()
        self.assert_patched('other')



class OwnTreeTest(Bed):
    """A tree of the user's as the base."""

    def extend_base(self, line: str) -> None:
        """Work on the user's own tree, where no patch does."""
        with open(self.own / 'hw/a file.c', 'a', encoding='ascii') as file:
            file.write(f'{line}\n')

    def test_it_is_never_changed(self) -> None:
        before = snapshot(self.own)
        self.prepare()
        (self.tree / 'main.c').write_text('mine\n')
        self.prepare()
        self.assertEqual(before, snapshot(self.own))
        self.assertFalse((self.own / 'subprojects/xen-overlay').exists())

    def test_what_is_not_source_stays_there(self) -> None:
        for name in ('.git/HEAD', 'build/build.ninja', 'build/x.o',
                     'hw/__pycache__/x.pyc'):
            (self.own / name).parent.mkdir(parents=True, exist_ok=True)
            (self.own / name).touch()
        (self.own / 'subprojects/xen-overlay').symlink_to('/elsewhere')
        self.prepare()
        self.assertFalse((self.tree / 'build').exists())
        self.assertFalse((self.tree / 'hw/__pycache__').exists())
        # What is built there is no change of the source.
        (self.own / 'build/y.o').touch()
        self.assertEqual('', self.prepare())

    def test_a_change_in_it_is_picked_up(self) -> None:
        self.prepare()
        self.extend_base('new')
        self.assertIn('preparing the QEMU source', self.prepare())
        self.assertIn('\nfive\nnew\n', self.text('hw/a file.c'))
        self.assertEqual([self.tree], list(self.build.iterdir()))

    def test_work_outlives_a_change_of_the_base(self) -> None:
        def uncommitted() -> None:
            (self.tree / 'main.c').write_text('mine\n')

        def committed() -> None:
            uncommitted()
            self.git('commit', '--quiet', '--all', '-m', 'mine')

        def saved_before() -> None:
            uncommitted()
            self.prepare()

        for number, work in enumerate((uncommitted, committed, saved_before),
                                      start=1):
            with self.subTest(work.__name__):
                self.prepare()
                work()
                self.extend_base(str(number))
                aside = self.build / f'qemu-src.saved-{number}'
                self.assertIn(f'kept as {aside}', self.prepare())
                self.assertEqual(self.PATCHED, self.first_lines())
                if work is saved_before:
                    self.git('-C', str(aside), 'show', 'saved-0:main.c')
                else:
                    self.assertEqual('mine\n',
                                     (aside / 'main.c').read_text())

    def test_wrong_trees(self) -> None:
        def complaint(own: Path) -> str:
            with self.assertRaises(UserError) as caught:
                self.prepare(own)
            self.assertFalse(self.tree.exists())
            return str(caught.exception)

        self.assertIn('is not a QEMU source tree', complaint(self.root))
        self.assertIn('is not a QEMU source tree', complaint(Path('/none')))
        (self.own / 'VERSION').write_text('9.2.1\n')
        self.assertIn('is QEMU 9.2.1; the patches are for 10.0.x',
                      complaint(self.own))
        (self.own / 'VERSION').write_text('10.01.0\n')
        self.assertIn('is QEMU 10.01.0', complaint(self.own))

    def test_our_own_copy_is_refused(self) -> None:
        self.prepare()
        before = snapshot(self.tree)
        with self.assertRaisesRegex(UserError, 'without being named'):
            self.prepare(self.tree)
        self.assertEqual(before, snapshot(self.tree))


if __name__ == '__main__':
    unittest.main()
