# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as plots: a measure over one number that machines differ by, or what
ours takes of stock's in all measures."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from .part import Part, Plot
from .results import Results
from .table import machine
from .variant import OURS, STOCK

COLOURS = ('#767676', '#1f6fb4', '#c2571a', '#2a8a57', '#8a5fb0', '#b03a5b')
MARKS = 'osD^'
# The same file for the same results.
METADATA: dict[str, dict[str, None]] = {
    'svg': {'Date': None}, 'png': {'Software': None}}


def points(plot: Plot, results: Results, variant: str
           ) -> list[tuple[float, float, float, float]]:
    """(x, median, lowest, highest) by x."""
    found = []
    for configuration in results.configurations():
        others = {key: value for key, value in configuration.items()
                  if key != plot.axis}
        figure = results.figure(plot.measure, variant, configuration)
        if others == plot.fixed and figure:
            found.append((float(configuration[plot.axis]), figure.median,
                          figure.low, figure.high))
    return sorted(found)


def ratios(part: Part, results: Results) -> dict[str, dict[str, float]]:
    """Ours : stock by measure, and in that by machine; what either lacks, or
    is 0, is left out, and so are counts: more is not worse."""
    found: dict[str, dict[str, float]] = {}
    for measure in part.measures:
        if not measure.unit:
            continue
        for configuration in results.configurations():
            ours, stock = (results.figure(measure.key, name, configuration)
                           for name in (OURS, STOCK))
            if ours and stock and ours.median > 0 and stock.median > 0:
                found.setdefault(measure.title, {})[
                    machine(configuration)] = ours.median / stock.median
    return found


def drawable(part: Part, results: Results) -> bool:
    """Whether there is anything to be seen."""
    return bool(part.plots or ratios(part, results))


def draw(part: Part, results: Results, folder: Path) -> list[Path]:
    """Write the part's plots, as SVG and as PNG."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    matplotlib.rcParams.update({'svg.hashsalt': part.name, 'font.size': 9,
                                'axes.spines.top': False,
                                'axes.spines.right': False})
    shown = (_lines(pyplot, part, results) if part.plots else
             _bars(pyplot, ratios(part, results)))
    shown.tight_layout()
    files = [folder / f'{part.name}.{kind}' for kind in METADATA]
    for file in files:
        shown.savefig(file, dpi=130, metadata=METADATA[file.suffix[1:]])
    pyplot.close(shown)
    return files


def _bars(pyplot: Any, found: dict[str, dict[str, float]]) -> Any:
    """A bar for each machine, by measure."""
    machines = list(dict.fromkeys(
        name for values in found.values() for name in values))
    thick = 0.8 / len(machines)
    shown, place = pyplot.subplots(figsize=(
        8, 1.2 + len(found) * max(0.45, 0.15 * len(machines))))
    for number, name in enumerate(machines):
        there = [(row, values[name]) for row, values
                 in enumerate(found.values()) if name in values]
        bars = place.barh(
            [row + (number + 0.5) * thick - 0.4 for row, _ in there],
            [value - 1 for _, value in there], left=1, height=thick,
            label=name, color=COLOURS[(number + 1) % len(COLOURS)])
        place.bar_label(bars, [f'{value:.{3 if value < 10 else 0}f}'
                               for _, value in there],
                        padding=2, fontsize=7)
    place.axvline(1, color=COLOURS[0], linewidth=1)
    values = [value for row in found.values() for value in row.values()]
    if max(values) > 4 or min(values) < 0.25:
        place.set_xscale('log')
        place.xaxis.set_major_formatter('{x:g}')
    else:
        # So that a per cent looks like one.
        place.plot((0.8, 1.2), (0, 0), linewidth=0)
    # Room for what is written beside the bars.
    place.margins(x=0.15)
    place.set_yticks(range(len(found)),
                     [textwrap.fill(title, 44) for title in found])
    place.invert_yaxis()
    place.set_xlabel(f'{OURS} : {STOCK} (below 1: ours takes less)')
    shown.legend(frameon=False, fontsize=8, ncols=len(machines),
                 loc='upper right')
    return shown


def _lines(pyplot: Any, part: Part, results: Results) -> Any:
    """The plots that a part asks for, side by side."""
    measures = {measure.key: measure for measure in part.measures}
    shown, axes = pyplot.subplots(1, len(part.plots), squeeze=False,
                                  figsize=(4.4 * len(part.plots), 3.3))
    for plot, place in zip(part.plots, axes[0]):
        for number, variant in enumerate(results.variants()):
            found = points(plot, results, variant)
            if not found:
                continue
            xs, medians, lows, highs = zip(*found)
            place.errorbar(
                xs, medians, label=variant, capsize=2, linewidth=1.4,
                color=COLOURS[number % len(COLOURS)], markersize=4,
                marker=MARKS[number % len(MARKS)],
                yerr=[[m - low for m, low in zip(medians, lows)],
                      [high - m for m, high in zip(medians, highs)]])
        place.set_xscale('log', base=2)
        place.set_yscale('log')
        place.set_xticks(sorted({x for variant in results.variants()
                                 for x, *_ in points(plot, results, variant)}))
        place.xaxis.set_major_formatter('{x:.0f}')
        place.set_xlabel(plot.label)
        place.set_ylabel(measures[plot.measure].unit)
        place.set_title(measures[plot.measure].title, fontsize=9)
        place.grid(True, axis='y', linewidth=0.4, alpha=0.6)
    if axes[0][0].lines:
        axes[0][0].legend(frameon=False, fontsize=8)
    return shown
