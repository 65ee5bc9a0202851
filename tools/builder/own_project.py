# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds this repository's own meson project: unit tests, test guests."""

from __future__ import annotations

import subprocess
from typing import Sequence

from . import ninja, packages
from .paths import OWN_BUILD, QEMU_BUILD, QEMU_SOURCE, ROOT
from .say import UserError, step


def build_guests() -> None:
    """The bare-metal guests alone: the sanitizers' tests take minutes."""
    build([f'tests/guest/{main.parent.name}.elf' for main
           in sorted((ROOT / 'tests/guest').glob('*/main.cpp'))],
          'test guests')


def build(targets: Sequence[str] = (),
          what: str = 'unit tests and test guests') -> None:
    """Configure it if need be, and build all of it, or some of it.

    Needs QEMU's configured source: its Linux headers are newer than those
    of the system may be.
    """
    packages.ensure(packages.BUILDING + packages.TESTING)
    headers = ','.join(str(directory / 'linux-headers')
                       for directory in (QEMU_BUILD, QEMU_SOURCE))
    if not (OWN_BUILD / 'build.ninja').exists():
        step('configuring the unit tests and test guests')
        # Debian's meson by its path: an older one may be first in PATH.
        done = subprocess.run(
            ['/usr/bin/meson', 'setup', '--reconfigure', str(OWN_BUILD),
             str(ROOT), f'-Dlinux_headers={headers}',
             # What the sanitizers see is worth more than speed here.
             '-Db_sanitize=address,undefined', '-Db_lundef=false',
             '-Doptimization=1', '-Ddebug=true', '-Dwerror=true'],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError('configuring the unit tests failed:\n'
                            f'{done.stdout[-3000:]}{done.stderr}')
    ninja.build(OWN_BUILD, list(targets), what)
