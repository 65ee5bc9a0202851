# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of Debian's: unpacked below build/, never installed."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nested.errors import NestedError
from nested.layer import say
from nested.paths import BUILD, ROOT

if TYPE_CHECKING:
    from builder.apt import Apt

# Written last, so that half unpacked packages are not taken.
NEWEST = 'newest'


def unpacked(cache: Path, what: str,
             download: Callable[['Apt'], Sequence[Path]],
             keep: str = '') -> Path:
    """A folder below cache with the packages that download returns, or what
    of them has a path in which `keep`, a regular expression, is found.

    Asked for once: delete cache to get what is newest then."""
    newest = cache / NEWEST
    try:
        folder = cache / newest.read_text().strip()
        if folder.is_dir():
            return folder
    except FileNotFoundError:
        pass
    say(f'fetching {what} ...')
    packages = _downloaded(what, download)
    folder = cache / packages[0].stem
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix='.unpack-') as name:
        scratch = Path(name) / 'unpacked'
        for package in packages:
            subprocess.run(['dpkg-deb', '--extract', package, scratch],
                           check=True)
        for path in scratch.rglob('*'):
            if not path.is_dir() and not re.search(keep, str(path)):
                path.unlink()
        try:
            os.rename(scratch, folder)
        except OSError:
            # Another run was faster, and its copy is as good.
            if not folder.is_dir():
                raise
        mark = Path(name) / NEWEST
        mark.write_text(folder.name + '\n')
        os.rename(mark, newest)
    return folder


def _downloaded(what: str, download: Callable[['Apt'], Sequence[Path]]
                ) -> Sequence[Path]:
    tools = str(ROOT / 'tools')
    if tools not in sys.path:
        sys.path.insert(0, tools)
    # Late, so that a bed whose parts are all given, or unpacked already,
    # works without the builder.
    try:
        # pylint: disable=import-outside-toplevel
        from builder.apt import Apt
        from builder.say import UserError
    except ImportError as error:
        raise NestedError(f'{tools}/builder cannot be imported ({error}), '
                          f'and {what} must be fetched with it') from error
    try:
        return download(Apt(BUILD))
    except UserError as error:
        raise NestedError(str(error)) from error
