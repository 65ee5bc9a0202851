# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps what is measured, as it comes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Sequence

from builder.say import note

from . import table
from .job import Job
from .results import Results, Run, made, write
from .samples import Samples


class Record:
    """A machine's old results stay until its new ones are all there: who is
    interrupted loses nothing, and both sides of a ratio are of one time."""

    def __init__(self, everything: dict[str, Results], file: Path,
                 about: dict[str, str], jobs: Sequence[Job]) -> None:
        self.failures: list[str] = []
        self._everything = everything
        self._file = file
        self._about = about
        self._expected = sum(len(job.order()) for job in jobs)
        self._taken = 0
        self._started = time.monotonic()
        self._held: list[Run] = []
        self._failed = 0

    def take(self, job: Job, variant: str, repeat: int,
             samples: Samples | None, left: int) -> None:
        """An attempt at a run of a job, in the job's order; without samples it
        has failed, and if no attempts are left so has the job."""
        if samples is None and left:
            self._failed += 1
            note(f'{job.part.name}, {table.machine(job.configuration)}, '
                 f'{variant}: run {repeat + 1} failed, is tried again '
                 f'({left} left)')
            return
        failed, self._failed = self._failed, 0
        if samples is None:
            self.give_up(job, f'{variant}, run {repeat + 1}')
            return
        self._taken += 1
        run = made(job.configuration, variant, repeat, samples, self._about,
                   failed)
        self._say(job, run, f'run {self._taken} of {self._expected}')
        self._held.append(run)
        if len(self._held) == len(job.order()):
            self._replace(job, self._held)
            self._held = []

    def take_other(self, job: Job, variant: str, samples: Samples) -> None:
        """A run in the same machine that is no part of the job."""
        run = made(job.configuration, variant, 0, samples, self._about)
        self._say(job, run, 'beside')
        self._replace(job, [run])

    def give_up(self, job: Job, reason: str) -> None:
        """A job, or its other run, has failed."""
        self._held = []
        self._failed = 0
        self.failures.append(f'{job.part.name}, '
                             f'{table.machine(job.configuration)}: {reason}')
        note(f'FAILED: {self.failures[-1]}')

    def _replace(self, job: Job, runs: list[Run]) -> None:
        name = job.part.name
        self._everything.setdefault(name, Results(name)).replace(runs)
        write(self._file, self._everything)

    def _say(self, job: Job, run: Run, number: str) -> None:
        first = job.part.measures[0]
        value = (table.number(run.values[first.key])
                 if first.key in run.values else table.NOTHING)
        note(f'{number}: {job.part.name}, '
             f'{table.machine(job.configuration)}, {run.variant}: '
             f'{first.title}: {value} {first.unit} '
             f'({time.monotonic() - self._started:.0f} s)')
