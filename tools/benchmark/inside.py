# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one machine of one part, each variant in turn.

    python3 -m benchmark.inside '{"part": "remap", "configuration": ...}'

Runs where KVM is, which may be a nested host.  Each run's samples are a line
of their own on stdout, which begins with RESULT.
"""

from __future__ import annotations

import json
import sys

from .parts import PARTS
from .variant import Variant

RESULT = 'bench-result: '


def main() -> int:
    """Run the job given on the command line."""
    job = json.loads(sys.argv[1])
    part = PARTS[job['part']]
    chosen = [(Variant(name, emulator, tuple(settings)), repeats)
              for name, emulator, settings, repeats in job['variants']]
    for repeat in range(max(repeats for _, repeats in chosen)):
        # Whoever comes first must not do so always.
        order = chosen if repeat % 2 == 0 else chosen[::-1]
        for variant, repeats in order:
            if repeat >= repeats:
                continue
            samples = part.run(variant, job['configuration'])
            print(RESULT + json.dumps({'variant': variant.name,
                                       'repeat': repeat,
                                       'samples': samples}), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
