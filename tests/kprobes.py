# SPDX-License-Identifier: GPL-2.0-or-later
"""How often the kernel went through a function: what KVM really did."""

import os
from pathlib import Path

TRACEFS = Path('/sys/kernel/tracing')
GROUP = 'xen_overlay'


class KprobeCounts:
    """Counts calls of kernel functions while it is entered.

    All of the machine's calls count, so nothing else may use KVM meanwhile;
    in the nested host nothing does.
    """

    def __init__(self, functions: list[str]) -> None:
        self._functions = functions
        self._defined: list[str] = []

    @staticmethod
    def unavailable() -> str | None:
        """Why this machine cannot count; None if it can."""
        if not os.access(TRACEFS / 'kprobe_events', os.W_OK):
            return f'{TRACEFS}/kprobe_events cannot be written (root only)'
        return None

    def __enter__(self) -> 'KprobeCounts':
        try:
            for name in self._functions:
                self._define(name)
        except OSError:
            self._remove()
            raise
        # The counts are kept whether or not the events are recorded, and
        # recording them costs time.
        (TRACEFS / 'tracing_on').write_text('0')
        self._write(f'events/{GROUP}/enable', '1')
        return self

    def __exit__(self, *_exception: object) -> None:
        self._write(f'events/{GROUP}/enable', '0')
        self._remove()

    def read(self) -> dict[str, int]:
        """Calls of each function so far."""
        counts = {}
        for line in (TRACEFS / 'kprobe_profile').read_text().splitlines():
            name, hits, missed = line.split()
            if name in self._functions:
                counts[name] = int(hits) + int(missed)
        return counts

    def _define(self, function: str, arguments: str = '') -> None:
        self._write('kprobe_events',
                    f'p:{GROUP}/{function} {function} {arguments}\n')
        self._defined.append(function)

    def _remove(self) -> None:
        while self._defined:
            self._write('kprobe_events', f'-:{GROUP}/{self._defined.pop()}\n')

    def _write(self, name: str, text: str) -> None:
        # Appending: without, a first write removes everybody's probes.  Not
        # by open(): Python looks for the end of a file that it appends to,
        # and these have none.
        file = os.open(TRACEFS / name, os.O_WRONLY | os.O_APPEND)
        try:
            for line in text.splitlines():
                os.write(file, line.encode() + b'\n')
        finally:
            os.close(file)


class KprobeRecord(KprobeCounts):
    """Counts those calls of a function whose arguments pass a filter.

    `arguments` are fetched as "NAME=WHERE:TYPE", in tracefs' terms, and
    `only` is a filter on these names.
    """

    def __init__(self, function: str, arguments: str, only: str) -> None:
        super().__init__([function])
        self._function = function
        self._arguments = arguments
        self._only = only

    def __enter__(self) -> 'KprobeRecord':
        self._define(self._function, self._arguments)
        event = TRACEFS / 'events' / GROUP / self._function
        (event / 'filter').write_text(self._only)
        # Writing to it empties it.
        (TRACEFS / 'trace').write_text('')
        (TRACEFS / 'tracing_on').write_text('1')
        (event / 'enable').write_text('1')
        return self

    def calls(self) -> list[str]:
        """The calls that passed, as tracefs shows them."""
        return [line for line in (TRACEFS / 'trace').read_text().splitlines()
                if f' {self._function}: ' in line]
