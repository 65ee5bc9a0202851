# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "migration": a guest moves from one emulator to another."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from pathlib import Path

from .part import Configuration, Measure, Part
from .samples import Samples
from .variant import STOCK, Variant

MEMORY_MIB = 64
TIMES = 5
ENDED = ('completed', 'failed', 'cancelled')
ROOT = Path(__file__).resolve().parents[2]
# Stock QEMU refuses to migrate any Xen guest: this one has a line less.
MIGRATABLE = ROOT / 'build/qemu-stock-migratable-system-x86_64'


class Migration(Part):
    """Of a guest that has all that Xen keeps for it, and is idle."""
    name = 'migration'
    title = 'a guest moves to another emulator'
    measures = (
        Measure('downtime', 'downtime, as the emulator says it', 'ms'),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((2,) if quick else (2, 8))]

    def host_memory(self, configuration: Configuration) -> int:
        return 2 * int(configuration['memory'])

    def files(self) -> list[Path]:
        from builder import emulator

        made = emulator.build_migratable_stock()
        return [made, made.resolve()]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import Guest, GuestError, bare_metal

        if variant.name == STOCK:
            variant = dataclasses.replace(variant, emulator=str(MIGRATABLE))
        vcpus = int(configuration['vcpus'])

        def start(append: str, *arguments: str) -> Guest:
            return guests.enter_context(bare_metal(
                variant, 'events', append, vcpus, MEMORY_MIB,
                arguments=arguments))

        downtimes = []
        with contextlib.ExitStack() as guests, \
                tempfile.TemporaryDirectory() as folder:
            source = start(f'cpus={vcpus} own=0,1')
            source.wait_for('READY')
            for number in range(TIMES):
                uri = f'unix:{folder}/{number}'
                target = start('', '-incoming', 'defer')
                target.machine.cmd('migrate-incoming', uri=uri)
                source.machine.cmd('migrate', uri=uri)
                said = source.machine.cmd('query-migrate')
                while said.get('status') not in ENDED:
                    time.sleep(0.1)
                    said = source.machine.cmd('query-migrate')
                if said['status'] != 'completed':
                    raise GuestError(f'migration: {said}')
                downtimes.append(float(said['downtime']))
                source.machine.shutdown()
                source = target
        return {'downtime': downtimes}
