# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a job where KVM is and instructions are counted: in a nested host."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, Callable

from builder.paths import BUILD, EMULATOR, ROOT
from builder.say import UserError

from .inside import RESULT
from .part import Configuration, Part
from .variant import Variant

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


def run(part: Part, configuration: Configuration,
        variants: list[tuple[Variant, int]],
        take: Callable[[Result], None]) -> None:
    """Measure one machine, each variant as often as is said with it; `take`
    gets each run's result."""
    from nested.errors import NestedError
    from nested.host import NestedHost

    job = {'part': part.name, 'configuration': configuration,
           'variants': [(*dataclasses.astuple(variant), repeats)
                        for variant, repeats in variants]}
    tools = Path(__file__).resolve().parents[1]
    files = [*(tools / 'benchmark').glob('*.py'), ROOT / 'tests/kprobes.py',
             *GUESTS.glob('*.elf'), *part.files()]
    others = {Path(variant.emulator) for variant, _ in variants} - {EMULATOR}
    host = NestedHost(
        other_emulators=sorted(others), icount=part.icount,
        time_limit=TIME_LIMIT,
        memory_mib=part.host_memory(configuration) + HOST_MEMORY_MIB)
    try:
        status = host.run(
            ['/usr/bin/python3', '-m', 'benchmark.inside', json.dumps(job)],
            files=files, cwd=ROOT, stdout=Lines(take),
            env={'PATH': '/usr/bin:/bin',
                 'PYTHONPATH': f'{tools}:{ROOT / "tests"}',
                 'PYTHONDONTWRITEBYTECODE': '1'})
    except NestedError as error:
        raise UserError(str(error)) from error
    if status:
        raise UserError(f'measuring {part.name} in {configuration} ended with '
                        f'status {status}; what was said stands above')
