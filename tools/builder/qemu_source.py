# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's source tree with this project's patches, kept in order by git.

The tree in build/qemu-src is a git repository: its first commit is QEMU as
Debian (or the user) has it, the commits on top are our patch series.  git
therefore answers the questions that matter: is every patch applied, whole
and as it stands in subprojects/packagefiles now?  If not, the wanted tree is
made beside it and checked out over it, which touches only the files that
differ, so that an edited patch does not rebuild all of QEMU.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .apt import Apt
from .paths import (BUILD, PATCHES, QEMU_SERIES, QEMU_SOURCE, ROOT,
                    STOCK_SOURCE)
from .say import UserError, note, step

BASE_TAG = 'base'
# Tags on what somebody changed in the tree.
SAVED = 'saved-*'
SUBPROJECT = 'subprojects/xen-overlay'
# Not part of QEMU's source, so not git's business: the link to ourselves.
EXCLUDED = [f'/{SUBPROJECT}', '__pycache__/']

# Commits get fixed names and dates: the same series gives the same hash.
# What is set for another repository is left out: in a hook or under "git
# rebase --exec", GIT_DIR is the one that this project itself lies in.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items()
       if not name.startswith('GIT_')},
    'GIT_AUTHOR_NAME': 'xen-overlay', 'GIT_AUTHOR_EMAIL': '',
    'GIT_COMMITTER_NAME': 'xen-overlay', 'GIT_COMMITTER_EMAIL': '',
    'GIT_AUTHOR_DATE': '2025-01-01T00:00:00Z',
    'GIT_COMMITTER_DATE': '2025-01-01T00:00:00Z',
    'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_SYSTEM': os.devnull,
}


def patches() -> list[Path]:
    """The series, in order."""
    return sorted(PATCHES.glob('[0-9]*.patch'))


def prepare(tree: Path = QEMU_SOURCE, own: Path | None = None) -> Path:
    """Make `tree` QEMU with our series; returns it.

    `own`: a QEMU tree of the user's, copied instead of Debian's; it is not
    changed.
    """
    origin = _origin(own and own_tree(str(own)))
    if not _has_base(tree, origin):
        _create(tree, origin, own)
    _apply_series(tree)
    _link_ourselves(tree)
    return tree


def prepare_stock(tree: Path = QEMU_SOURCE,
                  stock: Path = STOCK_SOURCE) -> Path:
    """Make `stock` the QEMU that `tree` has below our series; returns it.

    Nobody is to work in it: what is found changed is put right.
    """
    base = _commit(tree, BASE_TAG)
    # Where `tree` was made anew, `stock` knows no commit any more.
    if (stock / '.git').exists() and _commit(stock, 'HEAD'):
        if _commit(stock, 'HEAD') != base or _dirty(stock):
            _git(stock, 'reset', '--quiet', '--hard', BASE_TAG)
            _git(stock, 'clean', '--quiet', '-d', '--force')
        return stock
    step('preparing the QEMU source without the patches')
    shutil.rmtree(stock, ignore_errors=True)
    _git(tree, 'worktree', 'prune')
    _git(tree, 'worktree', 'add', '--quiet', '--detach', str(stock), BASE_TAG)
    return stock


def prepare_variant(patch: Path, variant: Path,
                    tree: Path = QEMU_SOURCE) -> Path:
    """Make `variant` the QEMU that `tree` has below our series, with `patch`
    alone on it; returns it."""
    base = _commit(tree, BASE_TAG)
    digest = hashlib.sha256(f'{base}'.encode() + patch.read_bytes())
    tag = f'variant-{digest.hexdigest()[:32]}'
    wanted = _commit(variant, tag) if (variant / '.git').exists() else None
    if (wanted and _commit(variant, 'HEAD') == wanted
            and not _dirty(variant)):
        return variant
    step(f'preparing the QEMU source with {patch.name} alone')
    shutil.rmtree(variant, ignore_errors=True)
    _git(tree, 'worktree', 'prune')
    _git(tree, 'worktree', 'add', '--quiet', '--detach', str(variant),
         BASE_TAG)
    _apply(variant, patch)
    _git(variant, 'tag', '--force', tag)
    return variant


# -- the tree without our patches ------------------------------------------


def own_tree(name: str) -> Path:
    """A QEMU tree of the user's, or a UserError that says what it is not."""
    own = Path(name)
    if not (own / 'configure').exists() or not (own / 'VERSION').exists():
        raise UserError(f'{own} is not a QEMU source tree (no configure and '
                        'VERSION file in it).')
    if own.resolve() == QEMU_SOURCE.resolve():
        raise UserError(f'{own} is the patched copy that the build makes for '
                        'itself; it is used without being named.')
    version = _version(own)
    if not version.startswith(f'{QEMU_SERIES}.'):
        raise UserError(
            f'{own} is QEMU {version}; the patches are for {QEMU_SERIES}.x.  '
            'Give a tree of that series, or none to use Debian\'s.')
    return own


def _version(tree: Path) -> str:
    return (tree / 'VERSION').read_text().strip()


def _origin(own: Path | None) -> str:
    """A name for where the base comes from, to notice when that changes."""
    if own is None:
        return f'Debian source package qemu, series {QEMU_SERIES}'
    return f'{own.resolve()}, QEMU {_version(own)}, {_newest_change(own)}'


def _newest_change(own: Path) -> str:
    """A fingerprint of the names, sizes and times of a tree's files."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(own):
        folders[:] = sorted(name for name in folders
                            if not _is_not_source(folder, [name]))
        for name in sorted(names):
            stat = os.lstat(os.path.join(folder, name))
            digest.update(f'{folder}/{name} {stat.st_size} '
                          f'{stat.st_mtime_ns}\n'.encode())
    return digest.hexdigest()[:16]


def _is_not_source(folder: str, names: list[str]) -> set[str]:
    """Which of `names` in `folder` a copy of a source tree leaves out."""
    return {name for name in names
            if name in ('.git', '__pycache__')
            or (name == 'xen-overlay' and folder.endswith('/subprojects'))
            or os.path.exists(os.path.join(folder, name, 'build.ninja'))}


def _has_base(tree: Path, origin: str) -> bool:
    if not (tree / '.git').exists():
        return False
    base = _commit(tree, BASE_TAG)
    return base is not None and origin == _git(
        tree, 'log', '-1', '--format=%B', base).strip()


def _create(tree: Path, origin: str, own: Path | None) -> None:
    """Unpack or copy the base; a tree that was there is replaced whole."""
    step(f'preparing the QEMU source: {origin.split(",")[0]}')
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix='qemu-src.') as made:
        fresh = Path(made) / 'qemu'
        if own is None:
            dsc = Apt(BUILD).source('qemu', QEMU_SERIES, BUILD / 'apt/source')
            note('unpacking it with Debian\'s patches')
            # --no-check: apt has verified the files against the archive's
            # signed index; dpkg would want the uploader's key as well.
            _run(['dpkg-source', '--no-check', '--extract', str(dsc),
                  str(fresh)])
            # A quilt state of Debian's that would only confuse git.
            shutil.rmtree(fresh / '.pc', ignore_errors=True)
        else:
            note(f'copying {own}')
            shutil.copytree(own, fresh, symlinks=True, ignore=_is_not_source)
        _git(fresh, 'init', '--quiet', '--initial-branch=main')
        # Before anything is added: QEMU's .gitignore is for its developers
        # and hides files that its own build needs.
        _git(fresh, 'config', 'core.excludesFile', os.devnull)
        _git(fresh, 'config', 'gc.auto', '0')
        (fresh / '.git/info/exclude').write_text('\n'.join(EXCLUDED) + '\n')
        _git(fresh, 'add', '--all', '--force', '.')
        _git(fresh, 'commit', '--quiet', '--no-verify', '-m', origin)
        _git(fresh, 'tag', BASE_TAG)
        if tree.exists():
            _set_aside(tree)
        fresh.rename(tree)


def _set_aside(tree: Path) -> None:
    """Remove a tree that is no longer wanted, but not somebody's work."""
    if (tree / '.git').exists() and not (
            _dirty(tree) or _is_work(tree)
            or _git(tree, 'tag', '--list', SAVED)):
        shutil.rmtree(tree)
        return
    for number in range(1, 1000):
        aside = tree.with_name(f'{tree.name}.saved-{number}')
        if not aside.exists():
            note(f'{tree} holds changes: kept as {aside}')
            tree.rename(aside)
            return


# -- our series on top -----------------------------------------------------


def _series_name() -> str:
    """A hash of the patches' names and content, in order."""
    digest = hashlib.sha256()
    for patch in patches():
        digest.update(patch.name.encode() + b'\0' + patch.read_bytes())
    return digest.hexdigest()[:32]


def _apply_series(tree: Path) -> None:
    tag = f'series-{_series_name()}'
    wanted = _commit(tree, tag)
    if wanted is None:
        step(f'applying {len(patches())} patches to QEMU')
        wanted = _build_series(tree, tag)
    dirty = _dirty(tree)
    if _commit(tree, 'HEAD') == wanted and not dirty:
        return
    # A half-applied series, or somebody at work in the tree: it must be put
    # right, and must not be lost.
    if dirty:
        _git(tree, 'add', '--all')
        _git(tree, 'commit', '--quiet', '--no-verify', '--allow-empty',
             '-m', 'changes found in the tree')
    if _is_work(tree, wanted):
        taken = _git(tree, 'tag', '--list', SAVED).split()
        saved = next(name for name in map('saved-{}'.format, itertools.count())
                     if name not in taken)
        _git(tree, 'tag', saved, 'HEAD')
        note(f'changes found in {tree} are kept in its git tag {saved}')
    _git(tree, 'reset', '--quiet', '--hard', wanted)
    _git(tree, 'clean', '--quiet', '-d', '--force')


def _is_work(tree: Path, wanted: str = BASE_TAG) -> bool:
    """Whether HEAD has what neither `wanted` nor a tag of ours has.

    Commits made into patches (CONTRIBUTING.md) come back as other commits
    with the same files.
    """
    return not (_git(tree, 'tag', '--list', '--points-at', 'HEAD',
                     BASE_TAG, 'series-*', SAVED)
                or _git(tree, 'rev-parse', 'HEAD^{tree}') ==
                _git(tree, 'rev-parse', f'{wanted}^{{tree}}'))


def _build_series(tree: Path, tag: str) -> str:
    """Commit the series on the base, beside the tree; returns the commit."""
    with tempfile.TemporaryDirectory(dir=BUILD, prefix='series.') as made:
        side = Path(made) / 'tree'
        _git(tree, 'worktree', 'prune')
        _git(tree, 'worktree', 'add', '--quiet', '--detach', str(side),
             BASE_TAG)
        try:
            for patch in patches():
                _apply(side, patch)
            _git(side, 'tag', '--force', tag)
            return _git(side, 'rev-parse', 'HEAD').strip()
        finally:
            with contextlib.suppress(UserError):
                _git(tree, 'worktree', 'remove', '--force', str(side))


def _apply(side: Path, patch: Path) -> None:
    done = subprocess.run(
        ['git', 'am', '--quiet', '--committer-date-is-author-date',
         '--keep-cr', str(patch)],
        cwd=side, env=ENVIRONMENT, capture_output=True, text=True,
        errors='replace', check=False)
    if done.returncode:
        # Without git's advice, which is for a tree that is kept.
        reason = re.sub(r'^hint:.*\n?', '', done.stderr, flags=re.M).strip()
        raise UserError(
            f'{patch.relative_to(ROOT)} does not apply to QEMU '
            f'{_version(side)}:\n{reason}\n'
            'Update the patch (CONTRIBUTING.md, "The QEMU patches"), or '
            'build against another tree with --with-qemu-source DIR.')


def _link_ourselves(tree: Path) -> None:
    """QEMU finds this repository as a meson subproject."""
    link = tree / SUBPROJECT
    target = os.path.relpath(ROOT, link.parent.resolve())
    if not (link.is_symlink() and os.readlink(link) == target):
        link.unlink(missing_ok=True)
        link.symlink_to(target)


# -- git -------------------------------------------------------------------


def _commit(tree: Path, name: str) -> str | None:
    done = subprocess.run(
        ['git', '-C', str(tree), 'rev-parse', '--quiet', '--verify',
         f'{name}^{{commit}}'], env=ENVIRONMENT, capture_output=True,
        text=True, check=False)
    return done.stdout.strip() or None


def _dirty(tree: Path) -> bool:
    return bool(_git(tree, 'status', '--porcelain').strip())


def _git(where: Path, *arguments: str) -> str:
    return _run(['git', '-C', str(where), *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True,
                          text=True, errors='replace', check=False)
    if done.returncode:
        raise UserError(f'{" ".join(command)}:\n{done.stderr.strip()}')
    return done.stdout
