# SPDX-License-Identifier: GPL-2.0-or-later
"""The command-line tool xen-host."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from nested.errors import STATUS_HOST_FAILED, NestedError
from nested.layer import say
from nested.paths import EMULATOR
from xen_host.host import XenHost

EPILOG = '''
The guest's text comes out as the guest wrote it; what Xen and dom0 say goes to
a log below build/xen-host/logs, whose end is shown if the run fails.

exit status: by the guest's line "VERDICT: ...": 0 PASS, 1 FAIL, 77 SKIP,
99 ERROR.  134 if the domain crashed (a triple fault, say) or ended without
such a line; 124 if the time limit was reached, 125 if the bed failed.

example:
  xen-host --append loops=1000 build/xen-overlay/tests/guest/remap.elf
'''


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, and the guest in .guest."""
    parser = argparse.ArgumentParser(
        prog='xen-host', epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Run a bare-metal guest (tests/guest) as a PVH domain of '
        "Debian's Xen, booted under an emulated CPU (QEMU TCG).")
    parser.add_argument('--vcpus', type=int, default=1, metavar='N',
                        help="the guest's vCPUs (default: 1)")
    parser.add_argument('--memory', type=int, default=128, metavar='MIB',
                        help="the guest's memory (default: 128)")
    parser.add_argument('--append', default='', metavar='TEXT',
                        help="the guest's command line")
    parser.add_argument('--icount', action='store_true',
                        help='let the clock count instructions')
    parser.add_argument('--time-limit', type=float, default=300, metavar='S',
                        help='seconds until the machine is ended (default: '
                        '300)')
    parser.add_argument('--qemu', type=Path, default=EMULATOR,
                        metavar='PATH', help='the emulator that Xen runs on '
                        f'(default: {EMULATOR})')
    parser.add_argument('--verbose', action='store_true',
                        help='say what runs, for how long, and where the log '
                        'is')
    parser.add_argument('guest', type=Path, metavar='GUEST.elf',
                        help='the guest')
    return parser.parse_args(arguments)


def _terminated(_number: int, _frame: object) -> None:
    # As an exception: it unwinds through the code that ends the emulator.
    sys.exit(128 + signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        host = XenHost(qemu=options.qemu, vcpus=options.vcpus,
                       memory_mib=options.memory, icount=options.icount,
                       time_limit=options.time_limit,
                       verbose=options.verbose)
        return host.run(options.guest, options.append)
    except BrokenPipeError:
        # Whoever read our output has gone.  Python would complain about it
        # once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (NestedError, OSError) as error:
        say(f'error: {error}')
        return STATUS_HOST_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == '__main__':
    sys.exit(main())
