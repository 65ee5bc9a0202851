# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: emulators, and ways to start them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STOCK = 'stock'
OURS = 'ours'
OURS_BY_MEMSLOT = 'ours (memslot)'
XEN = 'real Xen'


@dataclass(frozen=True)
class Variant:
    """An emulator, and how it is to do its work."""
    name: str
    emulator: str
    globals: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """For its command line."""
        return [word for setting in self.globals
                for word in ('-global', f'xen-overlay.{setting}')]


def variants(ours: Path, stock: Path) -> list[Variant]:
    """All that there are, in the order in which tables have them."""
    return [Variant(STOCK, str(stock)), Variant(OURS, str(ours)),
            Variant(OURS_BY_MEMSLOT, str(ours), ('remap-method=memslot',))]
