# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one machine after the other, each variant in turn.

    python3 -m benchmark.inside '[{"part": "remap", "configuration": ...}]'

Runs where KVM is, which may be a nested host.  Each attempt at a run is a line
of its own on stdout, which begins with RESULT; one that failed has no samples,
and if none is left its job ends.
"""

from __future__ import annotations

import json
import sys
import traceback

from .job import Job
from .parts import PARTS
from .samples import Samples
from .variant import Variant

RESULT = 'bench-result: '


def main() -> int:
    """Run the jobs given on the command line."""
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
            samples = attempt(job, variant)
            said = {'job': number, 'variant': variant.name, 'repeat': repeat,
                    'left': left, 'samples': samples}
            print(RESULT + json.dumps(said), flush=True)
            if samples is not None:
                break
        else:
            return


def attempt(job: Job, variant: Variant) -> Samples | None:
    """None if it failed: other machines need not wait for one that does not
    work."""
    try:
        return job.part.run(variant, job.configuration)
    except Exception:   # pylint: disable=broad-exception-caught
        traceback.print_exc()
        return None


if __name__ == '__main__':
    sys.exit(main())
