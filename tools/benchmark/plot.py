# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as plots: a measure over one number that machines differ by."""

from __future__ import annotations

from pathlib import Path

from .part import Part, Plot
from .results import Results

COLOURS = ('#767676', '#1f6fb4', '#c2571a', '#2a8a57')
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


def draw(part: Part, results: Results, folder: Path) -> list[Path]:
    """Write the part's plots side by side, as SVG and as PNG."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    matplotlib.rcParams.update({'svg.hashsalt': part.name, 'font.size': 9,
                                'axes.spines.top': False,
                                'axes.spines.right': False})
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
    shown.tight_layout()
    files = [folder / f'{part.name}.{kind}' for kind in METADATA]
    for file in files:
        shown.savefig(file, dpi=130, metadata=METADATA[file.suffix[1:]])
    pyplot.close(shown)
    return files
