# SPDX-License-Identifier: GPL-2.0-or-later
"""Has a guest do what is profiled; runs in the nested host.

    python3 -m profiler.inside EMULATOR GUEST APPEND VCPUS MEMORY COMMANDS

What symbols.py wants to know of the kernel and of the process goes to stdout,
and what the guest measured of itself as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmark.guest import bare_metal
from benchmark.variant import Variant
from benchmark.work import only_work

HEAD = '== '


def main() -> None:
    """Do it."""
    emulator, name, append, vcpus, memory, commands = sys.argv[1:]
    samples = {}
    with only_work(), bare_metal(Variant('', emulator), name, append,
                                 int(vcpus), int(memory)) as guest:
        guest.wait_for('READY.*\n')
        for command in commands:
            samples |= guest.told(command)
        # Instructions of a library are counted under the address where the
        # first process had them that executed them.
        maps = [(Path('/proc') / str(process) / 'maps').read_text()
                for process in (guest.machine.get_pid(), 'self')]
        guest.end()
    for head, text in (('samples', json.dumps(samples)),
                       *(('maps', text) for text in maps),
                       ('kernel', Path('/proc/kallsyms').read_text())):
        print(f'{HEAD}{head}\n{text}')


if __name__ == '__main__':
    main()
