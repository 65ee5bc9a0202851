# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: emulators, and ways to start them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STOCK = 'stock'
OURS = 'ours'
OURS_BY_MEMSLOT = 'ours (memslot)'
XEN = 'real Xen'
STOCK_ATTEMPTS = 3


@dataclass(frozen=True)
class Variant:
    """An emulator, and how it is to do its work."""
    name: str
    emulator: str
    globals: tuple[str, ...] = ()

    @property
    def attempts(self) -> int:
        """How often a run of it is tried.  That a guest of stock QEMU's hangs,
        as one did, must not cost the figures; of ours, none may."""
        return STOCK_ATTEMPTS if self.name == STOCK else 1

    def arguments(self) -> list[str]:
        """For its command line."""
        return [word for setting in self.globals
                for word in ('-global', f'xen-overlay.{setting}')]


def variants(ours: Path, stock: Path) -> list[Variant]:
    """All that there are, in the order in which tables have them."""
    return [Variant(STOCK, str(stock)), Variant(OURS, str(ours)),
            Variant(OURS_BY_MEMSLOT, str(ours), ('remap-method=memslot',))]
