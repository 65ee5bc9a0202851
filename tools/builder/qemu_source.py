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
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .apt import Apt
from .paths import BUILD, PATCHES, QEMU_SERIES, QEMU_SOURCE, ROOT
from .say import UserError, note, step

BASE_TAG = 'base'
SUBPROJECT = 'subprojects/xen-overlay'
# Not part of QEMU's source, so not git's business: the link to ourselves.
EXCLUDED = [f'/{SUBPROJECT}', '__pycache__/']

# Commits get fixed names and dates: the same series gives the same hash.
IDENTITY = {
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
    origin = _origin(own)
    if not _has_base(tree, origin):
        _create(tree, origin, own)
    _apply_series(tree)
    _link_ourselves(tree)
    return tree


# -- the tree without our patches ------------------------------------------


def _origin(own: Path | None) -> str:
    """A name for where the base comes from, to notice when that changes."""
    if own is None:
        return f'Debian source package qemu, series {QEMU_SERIES}'
    version_file = own / 'VERSION'
    if not (own / 'configure').exists() or not version_file.exists():
        raise UserError(f'{own} is not a QEMU source tree (no configure and '
                        'VERSION file in it).')
    version = version_file.read_text().strip()
    if not version.startswith(f'{QEMU_SERIES}.'):
        raise UserError(
            f'{own} is QEMU {version}; the patches are for {QEMU_SERIES}.x.  '
            f'Give a tree of that series, or none to use Debian\'s.')
    return f'{own.resolve()}, QEMU {version}, {_newest_change(own)}'


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
    done = subprocess.run(
        ['git', '-C', str(tree), 'log', '-1', '--format=%B', BASE_TAG],
        capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == origin


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
    if (tree / '.git').exists() and not _dirty(tree):
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
    if _commit(tree, 'HEAD') == wanted and not _dirty(tree):
        return
    if _dirty(tree):
        # A half-applied series, or somebody at work in the tree: it must be
        # put right, and must not be lost.
        saved = f'saved-{len(_git(tree, "tag", "--list", "saved-*").split())}'
        _git(tree, 'add', '--all')
        commit = _git(tree, 'stash', 'create', 'changes found in the tree')
        _git(tree, 'tag', saved, commit.strip())
        note(f'changes found in {tree} are kept in its git tag {saved}')
    _git(tree, 'reset', '--quiet', '--hard', wanted)
    _git(tree, 'clean', '--quiet', '-d', '--force')


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
        cwd=side, env={**os.environ, **IDENTITY}, capture_output=True,
        text=True, check=False)
    if done.returncode:
        version = (side / 'VERSION').read_text().strip()
        reason = re.sub(r'^hint:.*\n?', '', done.stdout + done.stderr,
                        flags=re.M).strip()
        raise UserError(
            f'{patch.relative_to(ROOT)} does not apply to QEMU {version}:\n'
            f'{reason}\nUpdate the patch (CONTRIBUTING.md, "The QEMU '
            'patches"), or build against another tree with '
            '--with-qemu-source DIR.')


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
         f'{name}^{{commit}}'], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _dirty(tree: Path) -> bool:
    return bool(_git(tree, 'status', '--porcelain').strip())


def _git(where: Path, *arguments: str) -> str:
    return _run(['git', '-C', str(where), *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, env={**os.environ, **IDENTITY},
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f'{" ".join(command)}:\n{done.stderr.strip()}')
    return done.stdout
