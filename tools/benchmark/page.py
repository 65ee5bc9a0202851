# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of results that people read: docs/benchmarks/README.md."""

from __future__ import annotations

from pathlib import Path

from . import plot, table
from .part import Configuration, Part
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
        shown.append('\n'.join(made_with(results[name])) + '\n')
        shown += [f'{line}\n' for line in failed(results[name])]
        if plot.drawable(part, results[name]):
            shown.append(f'![{part.title}]({name}.svg)\n')
        texts.append('\n'.join([*shown, table.tables(part, results[name])]))
    return '\n'.join(texts)


def made_with(results: Results) -> list[str]:
    """What the results were made with, a line for each answer to that."""
    abouts: list[dict[str, str]] = []
    for run in results.runs:
        if run.about not in abouts:
            abouts.append(run.about)
    lines = []
    for about in abouts:
        of = [_part_of(results, configuration, about)
              for configuration in results.configurations()]
        lines.append(', '.join(
            [f'{key} {value}' for key, value in about.items()] +
            [_runs(results, about)]))
        lines[-1] += (f': {"; ".join(filter(None, of))}.'
                      if len(abouts) > 1 else '.')
    return lines if len(lines) == 1 else [f'- {line}' for line in lines]


def failed(results: Results) -> list[str]:
    """The machines in which runs had to be tried again."""
    lines = []
    for configuration in results.configurations():
        for variant in results.variants():
            errors = results.failed(configuration, variant)
            if errors:
                runs = results.count(configuration, variant) + len(errors)
                lines.append(
                    f'{table.machine(configuration)}: {len(errors)} of {runs} '
                    f'runs of {variant} failed, and no figure has them: '
                    f'`{"`, `".join(errors)}`')
    return lines


def _runs(results: Results, about: dict[str, str]) -> str:
    """How often a machine was measured."""
    counts = {results.count(run.configuration, run.variant)
              for run in results.runs if run.about == about}
    return 'runs ' + ' to '.join(
        str(count) for count in sorted({min(counts), max(counts)}))


def _part_of(results: Results, configuration: Configuration,
             about: dict[str, str]) -> str:
    """A machine, and which of its variants, if not all; '' for none."""
    runs = [run for run in results.runs if run.configuration == configuration]
    of = list(dict.fromkeys(run.variant for run in runs if run.about == about))
    if not of:
        return ''
    every = all(run.about == about for run in runs)
    return table.machine(configuration) + (
        '' if every else f' ({", ".join(of)})')


def update(file: Path, text: str) -> None:
    """Replace what is below the mark."""
    above = ''
    if file.exists():
        above, found, _ = file.read_text().partition(MARK)
        above += '' if found else '\n'
    file.write_text(f'{above}{MARK}\n{text}')
