# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine profiled: by an emulator that counts, below the nested host."""

from __future__ import annotations

import io
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder.paths import BUILD, COUNTING_EMULATOR, EMULATOR, ROOT
from builder.say import UserError

from . import counts
from .symbols import GUEST, Symbols

GUESTS = BUILD / 'xen-overlay/tests/guest'
PLUGIN = BUILD / 'counting/libcount.so'
# Beside the guest's memory.
HOST_MEMORY_MIB = 1536
# Counting costs time.
TIME_LIMIT = 3600


@dataclass(frozen=True)
class Case:
    """A guest, in a machine, and what it is told."""
    guest: str
    append: str
    vcpus: int
    memory: int
    commands: str
    emulator: Path = EMULATOR


@dataclass
class Profiled:
    """What came out."""
    windows: list[counts.Window]
    symbols: Symbols
    samples: dict[str, list[float]]


def run(case: Case) -> Profiled:
    """Profile it."""
    from nested.host import NestedHost

    said = io.BytesIO()
    tools = ROOT / 'tools'
    elf = GUESTS / f'{case.guest}.elf'
    with tempfile.NamedTemporaryFile('r') as output:
        status = NestedHost(
            qemu=case.emulator, outer=COUNTING_EMULATOR, icount=True,
            time_limit=TIME_LIMIT,
            outer_arguments=('-plugin', f'{PLUGIN},to={output.name}'),
            memory_mib=case.memory + HOST_MEMORY_MIB).run(
                ['/usr/bin/python3', '-m', 'profiler.inside',
                 str(case.emulator), case.guest, case.append, str(case.vcpus),
                 str(case.memory), case.commands],
                files=[*(tools / 'profiler').glob('*.py'),
                       *(tools / 'benchmark').glob('*.py'), elf],
                cwd=ROOT, stdout=said,
                env={'PATH': '/usr/bin:/bin', 'PYTHONPATH': str(tools),
                     'PYTHONDONTWRITEBYTECODE': '1'})
        if status:
            raise UserError(f'{case.guest} ended with status {status}')
        windows = counts.read(output)
    symbols = Symbols()
    symbols.add_file(elf, 0, GUEST)
    samples = {}
    for head, text in re.findall(r'^== (\w+)\n(.*?)(?=^== |\Z)',
                                 said.getvalue().decode(), re.M | re.S):
        if head == 'kernel':
            symbols.add_kernel(text.splitlines())
        elif head == 'maps':
            symbols.add_process(text.splitlines())
        elif head == 'samples':
            samples = json.loads(text)
    return Profiled(windows, symbols, samples)
