# SPDX-License-Identifier: GPL-2.0-or-later
"""Names for addresses: of the host kernel, the emulator, the guest."""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

LINUX = 'Linux'
GUEST = 'guest'


@dataclass(frozen=True)
class Function:
    """A function, or as much as is known of what it is part of."""
    part: str
    name: str


@dataclass(frozen=True)
class _Symbol:
    address: int
    function: Function


class Symbols:
    """All that were found, to look addresses up."""

    def __init__(self) -> None:
        self._symbols: list[_Symbol] = []
        self._addresses: list[int] = []

    def add_kernel(self, kallsyms: Iterable[str]) -> None:
        """As /proc/kallsyms has them."""
        for line in kallsyms:
            match = re.match(
                r'([0-9a-f]+) [tTwW] (\S+)(?:\s+\[(\w+)\])?', line)
            if match:
                address, name, module = match.groups()
                self._add(int(address, 16), module or LINUX, name)

    def add_file(self, file: Path, base: int, part: str) -> None:
        """Of an ELF file that is mapped at `base`: all if it has them, else
        those that it exports."""
        for option in (), ('--dynamic',):
            said = subprocess.run(
                ['nm', '--demangle', '--defined-only', *option, str(file)],
                capture_output=True, text=True, check=True).stdout
            found = re.findall(r'^([0-9a-f]+) [tTwWiu] (.+?)(?:@.*)?$', said,
                               re.M)
            for address, name in found:
                # Of a function in C++ without its parameters.
                self._add(base + int(address, 16), part,
                          name.partition('(')[0])
            if found:
                return

    def add_process(self, maps: Iterable[str]) -> None:
        """The files that a process executes, as /proc/PID/maps has them."""
        bases: dict[str, int] = {}
        executed = set()
        for line in maps:
            match = re.match(
                r'([0-9a-f]+)-\S+ (\S+) ([0-9a-f]+) \S+ \d+ +(/.*)', line)
            if match:
                start, mode, offset, name = match.groups()
                if int(offset, 16) == 0:
                    bases.setdefault(name, int(start, 16))
                if 'x' in mode:
                    executed.add(name)
        for name in executed:
            if Path(name).exists():
                self.add_file(Path(name), bases[name], Path(name).name)

    def _add(self, address: int, part: str, name: str) -> None:
        self._symbols.append(_Symbol(address, Function(part, name)))
        self._addresses.clear()

    def find(self, address: int) -> Function:
        """The function that an address is in."""
        if not self._addresses:
            self._symbols.sort(key=lambda symbol: symbol.address)
            self._addresses = [symbol.address for symbol in self._symbols]
        index = bisect_right(self._addresses, address) - 1
        if index < 0:
            return Function('?', f'{address:#x}')
        return self._symbols[index].function
