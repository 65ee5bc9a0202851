# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine said: one file per run."""

import itertools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nested.layer import say

# More than any test run makes, so that no log in use is removed.
KEPT = 500
LINES_SHOWN = 30
_run_number = itertools.count(1)


def new_log(folder: Path) -> Path:
    """An empty log, named by the time."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime('%Y%m%d-%H%M%S')
    log = folder / f'{stamp}-{os.getpid()}-{next(_run_number)}.log'
    # Exists even if the emulator does not get as far as writing to it.
    log.touch(exist_ok=False)
    # Their names sort by time.
    for old in sorted(folder.glob('*.log'))[:-KEPT]:
        old.unlink(missing_ok=True)
    return log


def show_end(what: str, log: Path, lines: Sequence[str],
             complaints: str) -> None:
    """The last lines, and what the emulator itself said."""
    for line in complaints.splitlines():
        print(f'  QEMU: {line}', file=sys.stderr)
    say(f'end of {what} ({log}):')
    for line in lines[-LINES_SHOWN:]:
        print(f'  {line}', file=sys.stderr)
    sys.stderr.flush()
