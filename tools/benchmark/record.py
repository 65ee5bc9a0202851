# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps what is measured, as it comes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Iterable, Sequence

from builder.say import note

from . import table
from .attempt import Attempt
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
        # Attempts at the run that is to come.
        self._failed: list[str] = []
        self._open = list(jobs)

    def take(self, job: Job, attempt: Attempt) -> None:
        """What came of an attempt, in the order in which they are made."""
        which = f'{attempt.variant}, run {attempt.repeat + 1}'
        if attempt.samples is None:
            self._failed.append(attempt.error)
            if not attempt.left:
                self.give_up(job, f'{which}: {attempt.error}')
                return
            note(f'{job.part.name}, {table.machine(job.configuration)}: '
                 f'{which} failed, is tried again ({attempt.left} left): '
                 f'{attempt.error}')
            return
        self._taken += 1
        run = made(job.configuration, attempt.variant, attempt.repeat,
                   attempt.samples, self._about, self._failed)
        self._failed = []
        self._say(job, run, f'run {self._taken} of {self._expected}')
        self._held.append(run)
        if len(self._held) == len(job.order()):
            self._replace(job, self._held)
            self._held = []
            self._open.remove(job)

    def take_other(self, job: Job, variant: str, samples: Samples) -> None:
        """A run in the same machine that is no part of the job."""
        run = made(job.configuration, variant, 0, samples, self._about)
        self._say(job, run, 'beside')
        self._replace(job, [run])

    def give_up(self, job: Job, reason: str) -> None:
        """A job has failed."""
        self._held = []
        self._failed = []
        self._open.remove(job)
        self.other_failed(job, reason)

    def give_up_rest(self, jobs: Iterable[Job], reason: str) -> None:
        """Those of the jobs that are not done will not be."""
        for job in [job for job in jobs if job in self._open]:
            self.give_up(job, reason)

    def other_failed(self, job: Job, reason: str) -> None:
        """A job has failed, or a run beside it."""
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
