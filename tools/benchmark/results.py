# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of the parts: kept as JSON, asked for figures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, Sequence

from .part import Configuration
from .samples import Figure, Samples, figure, run_value


@dataclass
class Run:
    """One variant, once, in one machine."""
    configuration: Configuration
    variant: str
    repeat: int
    values: dict[str, float]
    # What it was made with.
    about: dict[str, str] = field(default_factory=dict)
    # Why attempts at it failed before.
    failed: list[str] = field(default_factory=list)


def made(configuration: Configuration, variant: str, repeat: int,
         samples: Samples, about: dict[str, str],
         failed: Sequence[str] = ()) -> Run:
    """A run of these samples."""
    return Run(configuration, variant, repeat,
               {key: run_value(values) for key, values in samples.items()},
               about, list(failed))


@dataclass
class Results:
    """All runs of a part."""
    part: str
    runs: list[Run] = field(default_factory=list)

    def replace(self, runs: Sequence[Run]) -> None:
        """Take runs of a machine, in place of those that it had of the same
        variants."""
        of = {run.variant for run in runs}
        self.runs = [run for run in self.runs if run.variant not in of or
                     run.configuration != runs[0].configuration]
        self.runs += runs

    def keep(self, measured: Callable[[Configuration, str], bool]) -> None:
        """Forget what is not measured any more: machines, or a variant in
        them."""
        self.runs = [run for run in self.runs
                     if measured(run.configuration, run.variant)]

    def count(self, configuration: Configuration, variant: str) -> int:
        """How often a variant was measured in a machine."""
        return sum(run.variant == variant and
                   run.configuration == configuration for run in self.runs)

    def failed(self, configuration: Configuration, variant: str) -> list[str]:
        """Why attempts at that failed, beside its runs."""
        return [error for run in self.runs if run.variant == variant
                and run.configuration == configuration for error in run.failed]

    def variants(self) -> list[str]:
        """In the order of their first runs."""
        return list(dict.fromkeys(run.variant for run in sorted(
            self.runs, key=lambda run: run.repeat)))

    def configurations(self) -> list[Configuration]:
        """By memory, then by vCPUs; those with more to them last."""
        found: list[Configuration] = []
        for run in self.runs:
            if run.configuration not in found:
                found.append(run.configuration)
        return sorted(found, key=lambda one: (
            len(one), one.get('memory', 0), one.get('vcpus', 0)))

    def figure(self, measure: str, variant: str,
               configuration: Configuration) -> Figure | None:
        """None if that was not measured."""
        values = [run.values[measure] for run in self.runs
                  if run.variant == variant and measure in run.values
                  and run.configuration == configuration]
        return figure(values) if values else None


def write(file: Path, results: dict[str, Results]) -> None:
    """Write the results of all parts for programs.  Whoever is interrupted
    here leaves what was there."""
    fresh = file.with_suffix('.new')
    fresh.write_text(json.dumps({name: asdict(part)
                                 for name, part in results.items()},
                                indent=1) + '\n')
    fresh.rename(file)


def read(file: Path) -> dict[str, Results]:
    """What write() wrote; nothing if there is no such file."""
    if not file.exists():
        return {}
    return {name: Results(part['part'], [Run(**run) for run in part['runs']])
            for name, part in json.loads(file.read_text()).items()}
