# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program in the foreground that has things to put in order."""

from __future__ import annotations

import contextlib
import subprocess
from typing import Iterator, Sequence


def run(command: Sequence[str]) -> int:
    """Run it with our own input and output; returns its exit status."""
    with ended_with_us(subprocess.Popen(command)) as process:
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def ended_with_us(
        process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Whatever ends us ends it, and it gets the time that it needs.

    subprocess.run would kill it after a quarter of a second: QEMU with a
    guest's disk not written, meson with tests still running.
    """
    with process:
        try:
            yield process
        except BaseException:
            process.terminate()
            process.wait()
            raise
