# SPDX-License-Identifier: GPL-2.0-or-later
"""What the project's commands tell the person who started them."""

from __future__ import annotations

import sys
import time


class UserError(Exception):
    """Something the user can put right; the message says how."""


def step(message: str) -> None:
    """Announce a step that may take a while."""
    print(f'== {message}', file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Say a detail of the step under way."""
    print(f'   {message}', file=sys.stderr, flush=True)


class Progress:
    """Shows how far a long step is: in place on a terminal, else now and then.

    A log file is read afterwards, so there a line every few seconds would
    only bury what matters: one line per tenth of the way is enough.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._tenth = -1

    def at(self, done: int, total: int) -> None:
        seconds = int(time.monotonic() - self._started)
        line = f'   {self._what}: {done}/{total} ({seconds} s)'
        if self._terminal:
            print(f'\r{line}', end='', file=sys.stderr, flush=True)
        elif total and done * 10 // total > self._tenth:
            self._tenth = done * 10 // total
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._terminal:
            print(file=sys.stderr, flush=True)
