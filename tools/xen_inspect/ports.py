# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of event channel ports, written as ranges."""

from __future__ import annotations

from typing import Iterable


def ranges(ports: Iterable[int]) -> str:
    """2, 3, 4, 20 as "2-4, 20"; "none" if there are none."""
    runs: list[list[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][1] + 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    return ', '.join(str(first) if first == last else f'{first}-{last}'
                     for first, last in runs) or 'none'
