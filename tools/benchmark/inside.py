# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one machine after the other, each variant in turn.

    python3 -m benchmark.inside '[{"part": "remap", "configuration": ...}]'

Runs where KVM is, which may be a nested host.  Each run's samples are a line
of their own on stdout, which begins with RESULT; a run that failed has none,
and its job ends.
"""

from __future__ import annotations

import json
import sys
import traceback

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
            said = {'job': number, 'variant': variant.name, 'repeat': repeat}
            try:
                said['samples'] = job.part.run(variant, job.configuration)
            # The other machines need not wait for one that does not work.
            except Exception:   # pylint: disable=broad-exception-caught
                traceback.print_exc()
                _say(said)
                break
            _say(said)
    return 0


def _say(said: dict[str, object]) -> None:
    print(RESULT + json.dumps(said), flush=True)


if __name__ == '__main__':
    sys.exit(main())
