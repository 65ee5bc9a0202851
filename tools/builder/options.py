# SPDX-License-Identifier: GPL-2.0-or-later
"""The options that all commands share, and how they end."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from typing import Callable

from . import qemu_source
from .say import UserError


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what to build."""
    group = parser.add_argument_group('building')
    group.add_argument(
        '--with-qemu-source', metavar='DIR',
        type=qemu_source.own_tree,
        help='build from this QEMU 10.0 tree instead of Debian\'s source '
        'package; it is copied, not changed')
    group.add_argument(
        '--configure', metavar='OPTIONS', type=shlex.split, default=[],
        help='more options for QEMU\'s configure, in one word: '
        '--configure="--enable-slirp --enable-vnc".  The libraries that '
        'they need must be installed')


def run(main: Callable[[], int]) -> None:
    """Run a command's main; a user's mistake is a message, not a trace."""
    # So that whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        status = main()
        sys.stdout.flush()
    except (UserError, PermissionError) as error:
        print(f'error: {error}', file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        # As for any program whose reader has gone; and Python is not to
        # stumble over it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    sys.exit(status)
