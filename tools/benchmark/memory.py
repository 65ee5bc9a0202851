# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "memory": what the emulator's process takes."""

from __future__ import annotations

import re
from pathlib import Path

from .part import MACHINES, ONE_VCPU, Configuration, Measure, Part, size
from .samples import Samples
from .variant import Variant

KIB = 'KiB'

# As smaps_rollup has them.
KEYS = {'rss': 'Rss', 'pss': 'Pss', 'private': 'Private_Dirty'}


class Memory(Part):
    """The guest has mapped shared_info, moved it, and touched all its RAM."""
    name = 'memory'
    title = "memory of the emulator's process"
    measures = (
        Measure('pss', 'proportional set size', KIB),
        Measure('rss', 'resident set size', KIB),
        Measure('private', 'private and dirty', KIB),
        Measure('mappings', 'mappings', ''),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [ONE_VCPU] if quick else [*MACHINES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal

        vcpus, memory = size(configuration)
        with bare_metal(variant, 'remap_cost', f'cpus={vcpus}', vcpus,
                        memory) as guest:
            guest.wait_for('READY')
            for command in 'tr':
                guest.told(command)
            process = Path('/proc') / str(guest.machine.get_pid())
            sizes = rollup((process / 'smaps_rollup').read_text())
            mappings = len((process / 'maps').read_text().splitlines())
            guest.end()
        return {**{key: [sizes[name]] for key, name in KEYS.items()},
                'mappings': [mappings]}


def rollup(text: str) -> dict[str, float]:
    """The sizes in smaps_rollup, in KiB."""
    return {name: float(size) for name, size
            in re.findall(r'^(\w+): +(\d+) kB$', text, re.M)}
