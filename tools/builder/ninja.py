# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs ninja, showing how far it is; its words only if it fails."""

from __future__ import annotations

import collections
import re
import subprocess
from pathlib import Path

from .say import Progress, UserError

COUNT = re.compile(r'^\[(\d+)/(\d+)\] ')


def build(directory: Path, targets: list[str], what: str) -> None:
    """Build `targets` in `directory`."""
    command = ['ninja', '-C', str(directory), *targets]
    progress = None
    tail: collections.deque[str] = collections.deque(maxlen=60)
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          errors='replace') as ninja:
        assert ninja.stdout
        for line in ninja.stdout:
            tail.append(line.rstrip())
            count = COUNT.match(line)
            if count:
                progress = progress or Progress(what)
                progress.at(int(count.group(1)), int(count.group(2)))
    if progress:
        progress.end()
    if ninja.returncode:
        text = '\n'.join(_from_failure(list(tail)))
        raise UserError(f'building {what} failed '
                        f'({" ".join(command)}):\n{text}')


def _from_failure(lines: list[str]) -> list[str]:
    """From the first failed command on, without the progress before it."""
    for index, line in enumerate(lines):
        if line.startswith('FAILED:'):
            return lines[index:]
    return lines
