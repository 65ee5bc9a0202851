# SPDX-License-Identifier: GPL-2.0-or-later
"""Configures and builds QEMU."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from pathlib import Path

from . import ninja, packages, qemu_source
from .paths import (COUNTING_BUILD, COUNTING_EMULATOR, EMULATOR,
                    MIGRATABLE_BUILD, MIGRATABLE_EMULATOR, MIGRATABLE_PATCH,
                    MIGRATABLE_SOURCE, QEMU_BUILD, ROOT, STOCK_BUILD,
                    STOCK_EMULATOR)
from .say import UserError, step

# Where Debian's packages have it (packages.FIRMWARE).
FIRMWARE = ['/usr/share/qemu', '/usr/share/seabios', '/usr/lib/ipxe/qemu']

# Little, so that it builds in minutes; --configure adds what a user wants.
CONFIGURE = [
    '--target-list=x86_64-softmmu',
    '--without-default-features',
    '--enable-system', '--enable-kvm',
    '--enable-tcg',             # the nested host runs under it
    '--enable-pixman',
    '--enable-trace-backends=log',
    '--enable-fdt=disabled',
    '--disable-docs', '--disable-install-blobs',
    # A newer compiler may warn of what QEMU 10.0 does; ours is checked by
    # our own build.
    '--disable-werror',
    '--disable-download',
    # Debian's python3, whatever another one is first in PATH: the packages
    # that QEMU's configure wants are installed for that.
    '--python=/usr/bin/python3',
    f'--firmwarepath={":".join(FIRMWARE)}',
]


def check_place() -> None:
    """Before minutes are spent on what must fail."""
    if re.search(r'[\s:]', str(ROOT)):
        raise UserError(f'QEMU cannot be built below "{ROOT}": its configure '
                        'refuses paths with spaces or colons.  Move the '
                        'clone elsewhere.')


def build(own_source: Path | None = None,
          options: list[str] | None = None) -> Path:
    """Build the emulator, doing only what is not done yet."""
    packages.ensure(packages.BUILDING + packages.FIRMWARE)
    source = qemu_source.prepare(own=own_source)
    return _build(source, QEMU_BUILD, EMULATOR, 'QEMU', options)


def build_stock(own_source: Path | None = None,
                options: list[str] | None = None) -> Path:
    """Build the emulator as it is without us, from the same source.

    What both have in common is compiled once (compiler_cache).
    """
    packages.ensure(packages.BUILDING + packages.FIRMWARE)
    qemu_source.prepare(own=own_source)
    source = qemu_source.prepare_stock()
    return _build(source, STOCK_BUILD, STOCK_EMULATOR, 'stock QEMU', options)


def build_migratable_stock(own_source: Path | None = None,
                           options: list[str] | None = None) -> Path:
    """Build the emulator as it is without us, but that it lets Xen guests be
    migrated: to exchange streams with."""
    packages.ensure(packages.BUILDING + packages.FIRMWARE)
    qemu_source.prepare(own=own_source)
    source = qemu_source.prepare_variant(MIGRATABLE_PATCH, MIGRATABLE_SOURCE)
    return _build(source, MIGRATABLE_BUILD, MIGRATABLE_EMULATOR,
                  'stock QEMU, migratable', options)


def build_counting(own_source: Path | None = None,
                   options: list[str] | None = None) -> Path:
    """Build the stock emulator with support for TCG plugins."""
    packages.ensure(packages.BUILDING + packages.FIRMWARE)
    qemu_source.prepare(own=own_source)
    source = qemu_source.prepare_stock()
    return _build(source, COUNTING_BUILD, COUNTING_EMULATOR,
                  'QEMU with plugins', ['--enable-plugins', *(options or [])])


def _build(source: Path, directory: Path, link: Path, what: str,
           options: list[str] | None) -> Path:
    configure(source, directory, options or [])
    ninja.build(directory, ['qemu-system-x86_64'], what)
    link_firmware(directory)
    _link(link, directory / 'qemu-system-x86_64')
    return link


def link_firmware(directory: Path) -> None:
    """Let the emulator find its firmware while it is not installed.

    Run from its build directory, QEMU takes the paths it was configured
    with as if that directory's bundle were the root.
    """
    for folder in FIRMWARE:
        link = directory / 'qemu-bundle' / folder.lstrip('/')
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder)


def configure(source: Path, directory: Path, options: list[str]) -> None:
    """Run QEMU's configure, unless it ran with the same options."""
    command = [str(source / 'configure'), *CONFIGURE, *options]
    done = directory / 'configured-as'
    # The source's configure itself is part of the question: QEMU's build
    # reruns meson when its files change, but not configure.
    script = hashlib.sha256((source / 'configure').read_bytes()).hexdigest()
    wanted = f'{shlex.join(command)}\n{script}\n'
    if done.exists() and done.read_text() == wanted:
        return
    step('configuring QEMU')
    directory.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    log = directory / 'configure.log'
    with open(log, 'w', encoding='utf-8') as output:
        run = subprocess.run(command, cwd=directory, stdout=output,
                             stderr=subprocess.STDOUT, check=False,
                             env=_environment())
    if run.returncode:
        tail = '\n'.join(log.read_text(errors='replace').splitlines()[-25:])
        raise UserError(f"QEMU's configure failed ({log}):\n{tail}")
    done.write_text(wanted)


def _environment() -> dict[str, str]:
    """Without what leads configure to a Python other than Debian's."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('PYTHONPATH', 'PYTHONHOME',
                                   'VIRTUAL_ENV')}
    environment['PATH'] = '/usr/sbin:/usr/bin:/sbin:/bin'
    return environment


def _link(link: Path, target: Path) -> None:
    relative = os.path.relpath(target, link.parent)
    if not (link.is_symlink() and os.readlink(link) == relative):
        link.unlink(missing_ok=True)
        link.symlink_to(relative)
