# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as tables, for people: in a terminal and in Markdown alike."""

from __future__ import annotations

from typing import Sequence

from .part import Configuration, Measure, Part
from .results import Results
from .samples import Figure
from .variant import OURS, STOCK

NOTHING = '-'


def tables(part: Part, results: Results) -> str:
    """A table for each measure."""
    texts = []
    for measure in part.measures:
        rows = measure_rows(measure, results)
        if rows:
            unit = f' ({measure.unit})' if measure.unit else ''
            title = measure.title[0].upper() + measure.title[1:]
            texts.append(f'**{title}**{unit}\n\n{aligned(rows)}')
    return '\n'.join(texts)


def measure_rows(measure: Measure, results: Results) -> list[list[str]]:
    """Head and rows; empty if it was not measured."""
    variants = [name for name in results.variants()
                if any(measure.key in run.values for run in results.runs
                       if run.variant == name)]
    if not variants:
        return []
    compared = {STOCK, OURS} <= set(variants)
    rows = [['machine', *variants, *([f'{OURS} : {STOCK}'] * compared)]]
    for configuration in results.configurations():
        figures = {name: results.figure(measure.key, name, configuration)
                   for name in variants}
        if not any(figures.values()):
            continue
        row = [machine(configuration),
               *(cell(figures[name]) for name in variants)]
        if compared:
            row.append(ratio(figures[OURS], figures[STOCK]))
        rows.append(row)
    return rows


def machine(configuration: Configuration) -> str:
    """A machine in words."""
    words = []
    for key, value in configuration.items():
        if key == 'vcpus':
            words.append(f'{value} vCPU{"s" if value != 1 else ""}')
        elif key == 'memory':
            words.append(f'{value} MiB')
        else:
            words.append(f'{key} {value}')
    return ', '.join(words)


def cell(figure: Figure | None) -> str:
    """A figure with its spread, where there is any."""
    if figure is None:
        return NOTHING
    text = number(figure.median)
    if figure.spread >= 0.0005:
        text += f' ±{figure.spread * 100:.1f} %'
    return text


def number(value: float) -> str:
    """Three digits that matter: 1.65 M, 6.7 k, 12, 0.01."""
    if value == round(value) and abs(value) < 1000:
        return str(round(value))
    for factor, letter in ((1e9, ' G'), (1e6, ' M'), (1e3, ' k')):
        # 999,600 is 1.00 M.
        if abs(value) >= factor * 0.9995:
            return f'{_three_digits(value / factor)}{letter}'
    return _three_digits(value)


def _three_digits(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f'{value:.{max(0, 3 - whole)}f}'


def ratio(ours: Figure | None, stock: Figure | None) -> str:
    """How many times stock's ours is."""
    if ours is None or stock is None:
        return NOTHING
    if ours.median == stock.median:
        return '1'
    if not stock.median:
        return NOTHING
    if not ours.median:
        return '0'
    times = ours.median / stock.median
    if times > 0.5:
        return f'{times:.3f}'
    return f'1/{1 / times:.1f}' if times > 0.01 else f'1/{1 / times:.0f}'


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Markdown that can be read as it is."""
    widths = [max(len(row[column]) for row in rows)
              for column in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (text.rjust(width) if column else text.ljust(width)
                        for column, (text, width)
                        in enumerate(zip(cells, widths)))
        return f'| {" | ".join([first, *rest])} |\n'

    rule = ''.join(f'|{"-" * (width + 1)}{":" if column else "-"}'
                   for column, width in enumerate(widths)) + '|\n'
    return line(rows[0]) + rule + ''.join(map(line, rows[1:]))
