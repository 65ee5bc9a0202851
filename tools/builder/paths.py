# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are.  Everything that is built lies below `build`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build'

PATCHES = ROOT / 'subprojects' / 'packagefiles' / 'qemu-10.0'

QEMU_SERIES = '10.0'
QEMU_SOURCE = BUILD / 'qemu-src'
QEMU_BUILD = BUILD / 'qemu'
EMULATOR = BUILD / 'qemu-system-x86_64'

# Without our patches, to compare with.  From its build to its source the way
# is the same as for ours: that is what a shared object's paths depend on.
STOCK_SOURCE = BUILD / 'stock' / QEMU_SOURCE.name
STOCK_BUILD = BUILD / 'stock' / QEMU_BUILD.name
STOCK_EMULATOR = BUILD / 'qemu-stock-system-x86_64'

# The same with one patch, so that streams can be exchanged with it.
MIGRATABLE_PATCH = ROOT / 'tests' / 'qemu' / 'stock-migratable.patch'
MIGRATABLE_SOURCE = BUILD / 'stock-migratable' / QEMU_SOURCE.name
MIGRATABLE_BUILD = BUILD / 'stock-migratable' / QEMU_BUILD.name
MIGRATABLE_EMULATOR = BUILD / 'qemu-stock-migratable-system-x86_64'

# Stock too, with support for plugins, which count what it emulates (./bench
# profile).  Its source is the stock emulator's.
COUNTING_BUILD = BUILD / 'counting' / QEMU_BUILD.name
COUNTING_EMULATOR = BUILD / 'qemu-counting-system-x86_64'

COMPILER_CACHE = BUILD / 'ccache'

# Our own meson project, with unit tests and test guests.
OWN_BUILD = BUILD / 'xen-overlay'
