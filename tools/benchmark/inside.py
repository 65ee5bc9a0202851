# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one machine after the other, each variant in turn.

    python3 -m benchmark.inside '[{"part": "remap", "configuration": ...}]'

Runs where KVM is, which may be a nested host.  Each attempt at a run is a line
of its own on stdout, which begins with RESULT; one that failed has no samples,
and if none is left its job ends.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import traceback
from types import FrameType

from .attempt import Attempt
from .job import Job
from .parts import PARTS
from .variant import Variant

RESULT = 'bench-result: '
# By a clock that counts instructions: a guest that is busy for ever takes some
# minutes, one that waits for ever no time. What takes longest of what works
# (stock's events with 64 vCPUs) takes 29 s.
TIME_LIMIT = 300


def main() -> int:
    """Run the jobs given on the command line."""
    signal.signal(signal.SIGALRM, too_long)
    for number, told in enumerate(json.loads(sys.argv[1])):
        job = Job(PARTS[told['part']], told['configuration'],
                  [(Variant(name, emulator, tuple(settings)), repeats)
                   for name, emulator, settings, repeats in told['variants']])
        do(number, job)
    return 0


def do(number: int, job: Job) -> None:
    """Do a job, and say what comes of each attempt."""
    for variant, repeat in job.order():
        for left in reversed(range(variant.attempts)):
            made = attempt(job, variant, repeat, left)
            print(RESULT + json.dumps({'job': number,
                                       **dataclasses.asdict(made)}),
                  flush=True)
            if made.samples is not None:
                break
        else:
            return


def attempt(job: Job, variant: Variant, repeat: int, left: int) -> Attempt:
    """Other machines need not wait for one that does not work."""
    signal.alarm(TIME_LIMIT)
    try:
        samples = job.part.run(variant, job.configuration)
        return Attempt(variant.name, repeat, left, samples)
    except Exception as error:   # pylint: disable=broad-exception-caught
        traceback.print_exc()
        words = ' '.join(str(error).split())
        return Attempt(variant.name, repeat, left, None,
                       f'{type(error).__name__}: {words}')
    finally:
        signal.alarm(0)


def too_long(_signal: int, _frame: FrameType | None) -> None:
    """Where an attempt hangs, it ends."""
    raise TimeoutError(f'not done after {TIME_LIMIT} s of the host\'s clock')


if __name__ == '__main__':
    sys.exit(main())
