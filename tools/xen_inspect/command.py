# SPDX-License-Identifier: GPL-2.0-or-later
"""The command: options, output, exit status."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass

from .answers import OVERLAY, VCPU_INFO, Answers, UnknownAnswer
from .clock import latest_update
from .monitor import Monitor, Unreachable
from .picture import picture
from .rates import clock_steps, rates

SHOWN, NOT_SHOWN, NOT_XEN, WRONG = 0, 1, 3, 4

DESCRIPTION = '''Shows the Xen overlay of a running guest: where shared_info
and each vcpu_info are, what KVM was told, and what the guest sees there.

SOCKET is a QMP socket: the path of a UNIX socket or HOST:PORT, as QEMU opens
it with -qmp unix:PATH,server=on,wait=off.  It serves one client at a time.

The guest notices nothing, unless --verify is given.'''

EPILOG = '''the clock:
  wallclock       the guest's time of day (UTC) at system time 0
  + system time   the guest's time of day when a vCPU's clock was last
                  updated, by the vCPU that was updated last.  The guest goes
                  on from there by its time stamp counter, which is not
                  visible from outside: what its clock shows now is not known,
                  only that it is not earlier.
  host's clock    of the machine that runs xen-inspect, read after the guest's
  guest at most N behind, at least N ahead
                  all that follows from the two above
  guest between   with --watch, where a vCPU's clock was updated since the look
                  before: then the age of the update has a limit

the vCPUs:
  id              the vCPU's number on Xen, if it is not cpu for all
  vcpu_info       slot: in shared_info; registered: at a place of its own
  sel             evtchn_pending_sel: words of pending bits with news
  upcall          which of evtchn_upcall_pending and _mask are set (no: none)
  vec             the vCPU's own interrupt vector for events, if it set one
  ver, system s   the clock's version, and its system time in seconds at the
                  last update
  tsc MHz         the rate of the time stamp counter that tsc_to_system_mul
                  and tsc_shift stand for
  flags           0x1: the time stamp counters are stable

exit status:
  0  shown; or --watch was ended by Ctrl-C, or by who reads its output
  1  not shown: no connection, not QMP, a QEMU without the commands, or it
     went away
  2  wrong arguments
  3  the machine does not emulate Xen
  4  shown (without --watch), but something is wrong: the overlay is broken,
     or --verify found a difference'''


class ReaderGone(Exception):
    """Nobody reads the output any more."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='xen-inspect', description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False)
    parser.add_argument('socket', metavar='SOCKET')
    parser.add_argument('--verify', action='store_true',
                        help='read KVM\'s attributes back and compare them; '
                        'makes each vCPU leave the guest for a moment')
    parser.add_argument('--watch', nargs='?', type=float, const=1.0,
                        metavar='SECONDS',
                        help='look again every so often (default: 1), with '
                        'rates, until Ctrl-C')
    parser.add_argument('--json', action='store_true',
                        help='the answers as one JSON object in a line, each '
                        'under its command\'s name, and "host-clock"; with '
                        '--watch one line each time')
    parser.add_argument('--timeout', type=float, default=10.0,
                        metavar='SECONDS',
                        help='wait so long for QEMU (default: %(default)g)')
    parsed = parser.parse_args(_separate(arguments))
    if parsed.timeout <= 0:
        parser.error('--timeout is more than 0 seconds')
    if parsed.watch is not None and not 0.01 <= parsed.watch <= 86400:
        parser.error('--watch is from 0.01 to 86400 seconds')
    return parsed


def _separate(arguments: list[str]) -> list[str]:
    """Let "--watch SOCKET" mean what it says, not a wrong number."""
    result = list(arguments)
    for place, word in enumerate(result[:-1]):
        if word == '--watch' and not _is_number(result[place + 1]):
            result[place] = '--watch=1'
    return result


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


class Output:
    """Pictures, one below the other, or in place on a terminal."""

    def __init__(self, in_place: bool) -> None:
        self._in_place = in_place and sys.stdout.isatty()
        self._shown = False

    def show(self, lines: list[str], blank: bool = True) -> None:
        """blank: a line between two of them, in a pipe."""
        if self._in_place:
            text = self._screen(lines)
        else:
            text = '\n' if self._shown and blank else ''
            text += ''.join(f'{line}\n' for line in lines)
        self._shown = True
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            # Else Python complains when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise ReaderGone from None

    def _screen(self, lines: list[str]) -> str:
        """Over the last one; a cleared screen would flicker."""
        columns, rows = shutil.get_terminal_size()
        if len(lines) >= rows:
            hidden = len(lines) - rows + 2
            lines = [*lines[:rows - 2], f'({hidden} more lines; a taller '
                     'terminal or a pipe shows them)']
        start = '\033[H' if self._shown else '\033[2J\033[H'
        return start + ''.join(f'{line[:columns]}\033[K\n'
                               for line in lines) + '\033[J'


async def inspect(options: argparse.Namespace, output: Output) -> int:
    async with Monitor(options.socket, options.timeout) as monitor:
        began = time.monotonic()
        answers = await monitor.look(options.verify)
        status = _show(answers, options, output)
        while status != NOT_XEN and options.watch is not None:
            await monitor.pause(options.watch)
            before, last_began = answers, began
            began = time.monotonic()
            answers = await monitor.look(options.verify)
            status = _show(answers, options, output, Earlier(
                before, began - last_began, time.monotonic() - last_began))
        return status


@dataclass(frozen=True)
class Earlier:
    """The look before: `seconds` from its start to the start of this one,
    `age` to the end of this one."""

    answers: Answers
    seconds: float
    age: float


def _show(answers: Answers, options: argparse.Namespace, output: Output,
          earlier: Earlier | None = None) -> int:
    overlay = answers[OVERLAY]
    if options.json:
        output.show([json.dumps(answers)], blank=False)
    if not overlay['enabled']:
        _complain(f'{options.socket}: this machine does not emulate Xen.  '
                  'QEMU does with -accel kvm,xen-version=0x40011,'
                  'kernel-irqchip=split')
        return NOT_XEN
    if not options.json:
        output.show(_draw(answers, earlier))
    if overlay.get('broken') or overlay.get('kernel-agrees') is False:
        return WRONG
    return SHOWN


def _draw(answers: Answers, earlier: Earlier | None) -> list[str]:
    if earlier is None:
        return picture(answers)
    try:
        latest = latest_update(answers[VCPU_INFO])
        # Updated since the look before: then it is no older than that.
        fresh = latest is not None and clock_steps(earlier.answers, latest) > 0
        rate = rates(earlier.answers, answers, earlier.seconds)
        return picture(answers, rate, earlier.age if fresh else None)
    except (KeyError, TypeError) as error:
        raise UnknownAnswer(str(error)) from error


def _complain(text: str) -> None:
    print(f'xen-inspect: {text}', file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return asyncio.run(inspect(options, Output(options.watch is not None
                                                   and not options.json)))
    except Unreachable as error:
        _complain(str(error))
    except UnknownAnswer as error:
        _complain(f'{options.socket}: QEMU answers otherwise than this viewer '
                  f'knows it: {error}.  Is it built from the same source?')
    except ReaderGone:
        return SHOWN
    except KeyboardInterrupt:
        if options.watch is not None:
            return SHOWN
        return 128 + signal.SIGINT
    return NOT_SHOWN
