# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs jobs where KVM is and instructions are counted: in a nested host."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, Callable

from builder.paths import BUILD, EMULATOR, ROOT
from builder.say import UserError

from .attempt import Attempt
from .inside import RESULT
from .job import Job

# Beside the guest: the host's kernel, what it boots from, and QEMU.
HOST_MEMORY_MIB = 1536
TIME_LIMIT = 3 * 3600
GUESTS = BUILD / 'xen-overlay/tests/guest'

Result = dict[str, Any]


class Lines:
    """A stream whose lines are handed over: results here, the rest there."""

    def __init__(self, take: Callable[[Result], None]) -> None:
        self._take = take
        self._line = b''

    def write(self, data: bytes) -> int:
        *lines, self._line = (self._line + data).split(b'\n')
        for line in lines:
            text = line.decode(errors='replace')
            if text.startswith(RESULT):
                self._take(json.loads(text.removeprefix(RESULT)))
            else:
                print(text, file=sys.stderr, flush=True)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back but half lines."""


def run(jobs: list[Job],
        take: Callable[[Job, Attempt], None]) -> None:
    """Do jobs in one nested host; `take` gets what comes of each attempt at a
    run. One that failed and was the last ends its job."""
    from nested.errors import NestedError
    from nested.host import NestedHost

    told = [{'part': job.part.name, 'configuration': job.configuration,
             'variants': [(*dataclasses.astuple(variant), repeats)
                          for variant, repeats in job.variants]}
            for job in jobs]
    tools = Path(__file__).resolve().parents[1]
    files = [*(tools / 'benchmark').glob('*.py'), ROOT / 'tests/kprobes.py',
             *GUESTS.glob('*.elf'),
             *(file for job in jobs for file in job.part.files())]
    others = {Path(variant.emulator) for job in jobs
              for variant, _ in job.variants} - {EMULATOR}
    most = max(job.part.host_memory(job.configuration) for job in jobs)
    host = NestedHost(
        other_emulators=sorted(others), icount=True, time_limit=TIME_LIMIT,
        memory_mib=most + HOST_MEMORY_MIB)

    def result(said: Result) -> None:
        take(jobs[said.pop('job')], Attempt(**said))

    try:
        status = host.run(
            ['/usr/bin/python3', '-m', 'benchmark.inside', json.dumps(told)],
            files=files, cwd=ROOT, stdout=Lines(result),
            env={'PATH': '/usr/bin:/bin',
                 'PYTHONPATH': f'{tools}:{ROOT / "tests"}',
                 'PYTHONDONTWRITEBYTECODE': '1'})
    except NestedError as error:
        raise UserError(str(error)) from error
    if status:
        raise UserError(f'measuring ended with status {status}; what was said '
                        'stands above')
