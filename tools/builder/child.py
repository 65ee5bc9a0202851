# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program in the foreground that has things to put in order."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import Any, Iterator, Sequence

# What asks us to end.
ENDS = {signal.SIGINT, signal.SIGTERM}


def run(command: Sequence[str], **options: Any) -> int:
    """Run it with our own input and output; returns its exit status."""
    with started(command, **options) as process:
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def started(command: Sequence[str],
            **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Whatever ends us ends it, and it gets the time that it needs.

    subprocess.run would kill it after a quarter of a second: QEMU with a
    guest's disk not written, meson with tests still running.
    """
    # Not while it is being started: it would run on without us.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        with subprocess.Popen(command, preexec_fn=unblock,
                              **options) as process:
            try:
                unblock()
                yield process
            except BaseException:
                process.terminate()
                process.wait()
                raise
    finally:
        unblock()
