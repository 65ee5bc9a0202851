# SPDX-License-Identifier: GPL-2.0-or-later
"""The table, in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.results import BAD, OUTCOMES, Result, Results

WIDTHS = ('64', '32')
NOT_RUN = '-'


@dataclass(frozen=True)
class Column:
    """A subject, and what the guest of each width said on it."""
    title: str
    results: Mapping[str, Results]


def render(columns: Sequence[Column], how: str) -> str:
    """The page."""
    titles: dict[int, str] = {}
    for column in columns:
        for results in column.results.values():
            # What is judged beforehand on all subjects has no title.
            titles = {**dict.fromkeys(results.items, ''), **titles,
                      **results.titles}
    lines = [
        '# Conformance', '',
        'What `tests/guest/conformance` finds, on Xen itself and on QEMU. '
        'Made by', f'`{how}`; do not edit.', '',
        '- pass: as the checklist wants it',
        '- FAIL: otherwise; DIED: the guest or its VMM did not survive it',
        '- known: a difference from Xen that is meant; skip: not checked',
        '', 'Where the 64-bit and the 32-bit guest differ: 64-bit / 32-bit.',
        '', _row(['item', 'what'] + [column.title for column in columns]),
        _row(['---'] * (2 + len(columns)))]
    for item in sorted(titles):
        lines.append(_row(
            [f'C-{item:02}', titles[item]]
            + [_cell(column, item) for column in columns]))
    lines += ['', '## Totals', '',
              _row(['subject', 'guest', *map(_word, OUTCOMES)]),
              _row(['---'] * (2 + len(OUTCOMES)))]
    for column in columns:
        for width, results in column.results.items():
            found = [result.outcome for result in results.items.values()]
            lines.append(_row([column.title, f'{width}-bit'] + [
                str(found.count(outcome)) for outcome in OUTCOMES]))
    lines += ['', '## What was said', '',
              'Of all that is not a plain pass.']
    for item in sorted(titles):
        lines += _said(item, titles[item], columns)
    return '\n'.join(lines) + '\n'


def _word(outcome: str) -> str:
    return outcome if outcome in BAD else outcome.lower()


def _cell(column: Column, item: int) -> str:
    words = []
    for width in WIDTHS:
        if width in column.results:
            result = column.results[width].items.get(item)
            words.append(_word(result.outcome) if result else NOT_RUN)
    return words[0] if len(set(words)) == 1 else ' / '.join(words)


def _said(item: int, title: str, columns: Sequence[Column]) -> list[str]:
    said: dict[Result, list[str]] = {}
    for column in columns:
        for width, results in column.results.items():
            result = results.items.get(item)
            if result and (result.outcome != 'PASS' or result.details):
                said.setdefault(result, []).append(
                    f'{column.title}, {width}-bit')
    if not said:
        return []
    return ['', f'### C-{item:02}: {title}', ''] + [
        f'- {_word(result.outcome)} ({"; ".join(where)})'
        + (f': {result.details}' if result.details else '')
        for result, where in said.items()]


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace('|', '\\|') for cell in cells)
    return '| ' + ' | '.join(escaped) + ' |'
