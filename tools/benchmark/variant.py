# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: emulators, and ways to start them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

STOCK = 'stock'
DEVICE = 'xen-overlay'
REMAP_METHOD = 'remap-method'
REMAP_METHODS = ('memslot', 'host-page')


@dataclass(frozen=True)
class Variant:
    """An emulator, and how it is to do its work."""
    name: str
    emulator: str
    globals: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """For its command line."""
        return [word for setting in self.globals
                for word in ('-global', f'{DEVICE}.{setting}')]


def variants(ours: Path, stock: Path) -> list[Variant]:
    """All that there are; an emulator need not have every way."""
    found = [Variant(STOCK, str(stock))]
    if REMAP_METHOD in properties(ours):
        found += [Variant(f'ours ({method})', str(ours),
                          (f'{REMAP_METHOD}={method}',))
                  for method in REMAP_METHODS]
    else:
        found.append(Variant('ours', str(ours)))
    return found


def properties(emulator: Path) -> set[str]:
    """The properties that the device has there."""
    done = subprocess.run(
        [str(emulator), '-machine', 'none', '-device', f'{DEVICE},help'],
        capture_output=True, text=True, check=True)
    return set(re.findall(r'^  ([\w-]+)=', done.stdout, re.M))
