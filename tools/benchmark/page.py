# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of results that people read: docs/benchmarks/README.md."""

from __future__ import annotations

from pathlib import Path

from . import table
from .part import Part
from .results import Results

# What is above it is written by hand.
MARK = '<!-- ./bench writes what follows -->\n'


def page(parts: dict[str, Part], results: dict[str, Results]) -> str:
    """All tables, in the order of the parts."""
    texts = []
    for name, part in parts.items():
        if name not in results or not results[name].runs:
            continue
        shown = [f'## {name}: {part.title}\n']
        shown += [', '.join(f'{key} {value}' for key, value
                            in results[name].about.items()) + '.\n']
        if part.plots:
            shown.append(f'![{part.title}]({name}.svg)\n')
        texts.append('\n'.join([*shown, table.tables(part, results[name])]))
    return '\n'.join(texts)


def update(file: Path, text: str) -> None:
    """Replace what is below the mark."""
    above = ''
    if file.exists():
        above, found, _ = file.read_text().partition(MARK)
        above += '' if found else '\n'
    file.write_text(f'{above}{MARK}\n{text}')
