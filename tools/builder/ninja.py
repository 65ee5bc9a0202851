# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs ninja, showing how far it is; its words only if it fails."""

from __future__ import annotations

import collections
import re
import shlex
import subprocess
from pathlib import Path

from . import compiler_cache
from .say import Progress, UserError

COUNT = re.compile(r'^\[(\d+)/(\d+)\] ')
# Of a failed build: enough for a template's error, and still read.
LINES = 60


def build(directory: Path, targets: list[str], what: str) -> None:
    """Build `targets` in `directory`."""
    command = ['ninja', '-C', str(directory), *targets]
    progress = None
    # A compiler's first complaint is the one that matters: from the first
    # failed command on.  Where none failed, ninja's last words.
    failure: list[str] = []
    tail: collections.deque[str] = collections.deque(maxlen=LINES)
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          errors='replace',
                          # A user's own would not be understood here.
                          env={**compiler_cache.environment(),
                               'NINJA_STATUS': '[%f/%t] '}
                          ) as ninja:
        assert ninja.stdout
        try:
            for line in ninja.stdout:
                count = COUNT.match(line)
                if count:
                    progress = progress or Progress(what)
                    progress.at(int(count.group(1)), int(count.group(2)))
                if failure or line.startswith('FAILED:'):
                    failure.append(line.rstrip())
                tail.append(line.rstrip())
        finally:
            if progress:
                progress.end()
    if ninja.returncode:
        text = '\n'.join(failure[:LINES] or tail)
        raise UserError(f'building {what} failed '
                        f'({shlex.join(command)}):\n{text}')
