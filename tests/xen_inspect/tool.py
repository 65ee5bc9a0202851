# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the viewer as its users do, or in this process."""

from __future__ import annotations

import contextlib
import io
import unittest
from dataclasses import dataclass
from pathlib import Path

from xen_inspect import command, monitor

TOOL = Path(command.__file__).resolve().parents[1] / 'xen-inspect'

needs_library = unittest.skipUnless(
    (monitor.LIBRARY / 'qemu' / 'qmp').is_dir(),
    'QEMU\'s source is not in build/qemu-src')


@dataclass
class Result:
    """What came of a run."""

    status: int
    out: str
    err: str


def run(*arguments: str) -> Result:
    """In this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = command.main(list(arguments))
        except SystemExit as end:       # argparse
            status = int(end.code or 0)
    return Result(status, out.getvalue(), err.getvalue())
