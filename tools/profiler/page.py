# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile as tables."""

from __future__ import annotations

from collections import Counter
from typing import Mapping, Sequence

from benchmark.table import aligned, number

from . import counts
from .symbols import Function, Symbols

MOST_FUNCTIONS = 30
MOST_DIFFERENCES = 15
# What is less, as a part of the whole, is not worth a line.
LEAST = 0.005

PHASES = {
    counts.GUEST: 'the guest',
    counts.USER: 'the emulator, between system calls',
    counts.AFTER_VMRUN: 'KVM, from the guest to the emulator or back',
}


def phases(window: counts.Window, symbols: Symbols) -> dict[str, float]:
    """Instructions by what the machine was at."""
    found: Counter[str] = Counter()
    for place, phase in window.phases.items():
        name = PHASES.get(place) or f'{symbols.find(place).name}()'
        found[name] += sum(phase.values())
    return dict(found)


def functions(window: counts.Window, symbols: Symbols,
              ) -> dict[Function, float]:
    """Instructions by function, without those that it calls."""
    found: Counter[Function] = Counter()
    for phase in window.phases.values():
        for address, instructions in phase.items():
            found[symbols.find(address)] += instructions
    return dict(found)


def parts(by_function: Mapping[Function, float]) -> dict[str, float]:
    """Instructions by program, library or module."""
    found: Counter[str] = Counter()
    for function, instructions in by_function.items():
        found[function.part] += instructions    # type: ignore[assignment]
    return dict(found)


def _sorted(figures: Mapping[str, float], most: int) -> list[list[str]]:
    total = sum(figures.values())
    rows = sorted(figures.items(), key=lambda row: -row[1])
    return [[name, number(value), f'{value / total * 100:.1f} %']
            for name, value in rows[:most] if value >= total * LEAST]


def _named(by_function: Mapping[Function, float]) -> dict[str, float]:
    return {f'{function.part}: {function.name}': value
            for function, value in by_function.items()}


def section(title: str, window: counts.Window, symbols: Symbols) -> str:
    """Everything about one operation."""
    by_function = functions(window, symbols)
    heads = (('by what the machine is at', phases(window, symbols)),
             ('by program', parts(by_function)),
             ('by function', _named(by_function)))
    tables = [aligned([[head, 'instructions', ''],
                       *_sorted(figures, MOST_FUNCTIONS)])
              for head, figures in heads]
    return (f'## {title}\n\n{number(window.total())} instructions.\n\n' +
            '\n'.join(tables))


def difference(title: str, less: Mapping[Function, float],
               more: Mapping[Function, float]) -> str:
    """Which functions take more in one than in the other."""
    grown = {function: value - less.get(function, 0)
             for function, value in more.items()}
    grown |= {function: -value for function, value in less.items()
              if function not in more}
    total = sum(grown.values())
    rows = sorted(grown.items(), key=lambda row: -abs(row[1]))
    table: list[Sequence[str]] = [['by function', 'instructions']]
    for function, value in rows[:MOST_DIFFERENCES]:
        table.append([f'{function.part}: {function.name}', number(value)])
    return (f'## {title}\n\n{number(total)} instructions.\n\n' +
            aligned(table))
