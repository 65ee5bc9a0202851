# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers of the initramfs: newc archives, cached by a key of their inputs.

Linux unpacks archives that follow one another in a file, a later one over
an earlier one.  So the initramfs is cut where its parts change at
different rates, and a rebuilt emulator does not cost a rebuilt Python.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from nested.errors import NestedError
from nested.paths import LAYERS
from nested.tree import Tree

# Bump when archives are written differently, so that old ones are not used.
FORMAT = '1'
# Each rebuilt emulator leaves an archive of some 30 MB behind.
KEPT_PER_LAYER = 6
# Making a smaller one is no long step, and so not worth a message.
WORTH_A_WORD = 10_000_000
# Another run may be about to read an archive it has just looked up.
SPARED_SECONDS = 3600

Step = Callable[[Path], None]


def say(text: str) -> None:
    """Progress of a long step, for the person who waits."""
    print(f'test bed: {text}', file=sys.stderr, flush=True)


@dataclass
class Layer:
    """A named archive: a plan, and steps that work on the written tree.

    recipe names the steps: it is part of the key, the code is not."""
    name: str
    tree: Tree
    recipe: str = ''
    steps: tuple[Step, ...] = ()
    folder: Path = LAYERS

    def archive(self) -> Path:
        """The archive's path; made now if nobody made it before."""
        key = self.tree.key(f'{FORMAT} {self.name} {self.recipe}')
        path = self.folder / f'{self.name}-{key}.cpio'
        try:
            # Use counts for pruning, not age.
            os.utime(path)
            return path
        except FileNotFoundError:
            pass
        long = self.tree.size() > WORTH_A_WORD
        if long:
            say(f'building layer {self.name} of the initramfs ...')
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
                dir=self.folder, prefix=f'.{self.name}-') as scratch:
            root = Path(scratch) / 'root'
            root.mkdir()
            self.tree.write(root)
            for step in self.steps:
                step(root)
            unfinished = Path(scratch) / 'archive'
            with open(unfinished, 'wb') as output:
                pack(root, output.fileno())
            # Several runs may make the same archive at once: each renames
            # a whole one into place, and the last one wins.
            os.rename(unfinished, path)
        if long:
            say(f'layer {self.name}: {path.stat().st_size / 1e6:.1f} MB, '
                f'{time.monotonic() - started:.1f} s')
        prune(self.folder, self.name, KEPT_PER_LAYER, SPARED_SECONDS)
        return path


def image(layers: Iterable[Layer], last: Tree, scratch: Path) -> int:
    """An initramfs of these layers and a tree that is this run's own.

    In memory (a descriptor), so that there is nothing to clean up however
    the run ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    descriptor = os.memfd_create('initramfs')
    try:
        with open(descriptor, 'wb', closefd=False) as output:
            for layer in layers:
                with open(layer.archive(), 'rb') as archive:
                    shutil.copyfileobj(archive, output, 1 << 20)
        with tempfile.TemporaryDirectory(
                dir=scratch, prefix='.job-') as folder:
            last.write(Path(folder))
            pack(Path(folder), descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def pack(root: Path, output: int) -> None:
    """Write everything below root to the descriptor, as a newc archive."""
    names = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        names += [os.path.relpath(os.path.join(folder, name), root)
                  for name in folders + files]
    # Sorted: a folder comes before what is in it, and the same tree always
    # makes the same archive.
    listing = b''.join(os.fsencode(name) + b'\0' for name in sorted(names))
    # No compression: unpacking it under TCG takes longer than reading it.
    command = ['cpio', '--create', '--format=newc', '--null', '--quiet',
               '--reproducible', '--owner=+0:+0']
    try:
        done = subprocess.run(command, input=listing, cwd=root,
                              stdout=output, stderr=subprocess.PIPE,
                              check=False)
    except FileNotFoundError:
        raise NestedError('the tool "cpio" is missing; '
                          'install it with: apt-get install cpio') from None
    if done.returncode != 0:
        raise NestedError('cpio failed: '
                          + done.stderr.decode(errors='replace').strip())


def prune(folder: Path, name: str, keep: int, spare_seconds: float) -> None:
    """Remove the archives of a layer that were not used for longest."""
    aged = []
    for path in folder.glob(f'{name}-*.cpio'):
        try:
            aged.append((path.stat().st_mtime, path))
        except FileNotFoundError:
            continue    # another run prunes too
    horizon = time.time() - spare_seconds
    for used, path in sorted(aged, reverse=True)[keep:]:
        if used < horizon:
            path.unlink(missing_ok=True)
