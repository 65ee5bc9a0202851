# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one machine after the other, each variant in turn.

    python3 -m benchmark.inside '[{"part": "remap", "configuration": ...}]'

Runs where KVM is, which may be a nested host.  Each run's samples are a line
of their own on stdout, which begins with RESULT.
"""

from __future__ import annotations

import json
import sys

from .job import Job
from .parts import PARTS
from .variant import Variant

RESULT = 'bench-result: '


def main() -> int:
    """Run the jobs given on the command line."""
    for number, told in enumerate(json.loads(sys.argv[1])):
        job = Job(PARTS[told['part']], told['configuration'],
                  [(Variant(name, emulator, tuple(settings)), repeats)
                   for name, emulator, settings, repeats in told['variants']])
        for variant, repeat in job.order():
            samples = job.part.run(variant, job.configuration)
            print(RESULT + json.dumps({'job': number, 'variant': variant.name,
                                       'repeat': repeat,
                                       'samples': samples}), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
