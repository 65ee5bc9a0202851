# SPDX-License-Identifier: GPL-2.0-or-later
"""The command-line tool nested-host."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from nested import kernel, xen_kvm
from nested.errors import STATUS_HOST_FAILED, NestedError
from nested.host import NestedHost
from nested.layer import say
from nested.paths import EMULATOR

EPILOG = f'''
Inside, everything given has the path that it has outside: the emulator, its
libraries and firmware, Python 3, and each --file.  busybox has the rest.

exit status: the command's; 124 if the time limit was reached, 125 if the
nested host failed, 128 + n if signal n ended the command.

environment: {xen_kvm.VARIABLE}=native|nested overrides what
--native-if-possible finds out; {kernel.VARIABLE}=NAME|DIR is the default of
--kernel.

examples:
  nested-host -- uname -a
  nested-host --file ./guest.elf -- sh -c 'dmesg | tail'
  nested-host -- sh -i            (a shell; no terminal, so no line editing)
'''


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, and the command in .command."""
    parser = argparse.ArgumentParser(
        prog='nested-host', epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Run one command on a Debian kernel whose KVM supports '
        'Xen, booted under an emulated CPU (QEMU TCG).')
    parser.add_argument('--memory', type=int, default=4096, metavar='MIB',
                        help='memory of the nested host (default: 4096)')
    parser.add_argument('--icount', action='store_true',
                        help='let time inside count instructions: slower, '
                        'but rdtsc is a measure that repeats')
    parser.add_argument('--vfio', action='store_true',
                        help='with an IOMMU, and a PCI device (edu) that '
                        'VFIO can give to a guest')
    parser.add_argument('--kernel', default=kernel.chosen(),
                        metavar='NAME|DIR',
                        help=f'{", ".join(kernel.NAMES)} (README.md says '
                        'what they are), or a folder with vmlinuz and *.ko '
                        'files (default: %(default)s)')
    parser.add_argument('--time-limit', type=float, default=600, metavar='S',
                        help='seconds until the nested host is ended '
                        '(default: 600)')
    parser.add_argument('--qemu', type=Path, default=EMULATOR,
                        metavar='PATH', help='the emulator, outside as well '
                        f'as inside (default: {EMULATOR})')
    parser.add_argument('--file', action='append', default=[],
                        metavar='PATH[:DEST]', dest='files',
                        help='take a file, or a folder with all below it, '
                        'along to the same path, or to DEST')
    parser.add_argument('--native-if-possible', action='store_true',
                        help='if this machine\'s own KVM supports Xen, just '
                        'run the command here')
    parser.add_argument('--verbose', action='store_true',
                        help='say how long the boot took and where the '
                        'kernel\'s console is')
    parser.add_argument('command', nargs='+', metavar='COMMAND',
                        help='the command and its arguments, after "--"')
    return parser.parse_args(arguments)


def given_file(text: str) -> str | tuple[str, str]:
    """PATH[:DEST].  A colon within a path that exists is no separator."""
    source, colon, destination = text.rpartition(':')
    if colon and destination.startswith('/') and not os.path.exists(text):
        return source, destination
    return text


def _terminated(_number: int, _frame: object) -> None:
    # As an exception: it unwinds through the code that ends the emulator.
    sys.exit(128 + signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if options.native_if_possible:
            choice = xen_kvm.choose()
            if options.verbose:
                where = 'natively' if choice.native else 'nested'
                say(f'running {where}: {choice.reason}')
            if choice.native:
                os.execvp(options.command[0], options.command)
        host = NestedHost(
            qemu=options.qemu, memory_mib=options.memory,
            icount=options.icount, vfio=options.vfio, kernel=options.kernel,
            time_limit=options.time_limit, verbose=options.verbose)
        return host.run(options.command,
                        files=[given_file(text) for text in options.files],
                        stdin=sys.stdin.buffer if sys.stdin else None)
    except BrokenPipeError:
        # Whoever read our output has gone.  Python would complain about it
        # once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (NestedError, ValueError, OSError) as error:
        say(f'error: {error}')
        return STATUS_HOST_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == '__main__':
    sys.exit(main())
