# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one bare-metal guest on real Xen."""

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from nested.errors import (STATUS_HOST_FAILED, STATUS_TIME_LIMIT,
                           NestedError)
from nested.layer import image, say
from nested.log import new_log, show_end
from nested.paths import EMULATOR
from nested.stream import new_mark
from xen_host import initramfs
from xen_host.outer import Outer
from xen_host.paths import LOGS, XEN_HOST
from xen_host.release import find_release
from xen_host.session import Session
from xen_host.verdict import judge

# xl's own limit for a PVH domain.
MOST_VCPUS = 128


@dataclass
class XenHost:
    """The options of a bed; each run() boots a new one.

    As with the nested host, any number of runs may be under way at the same
    time."""
    qemu: Path = EMULATOR
    vcpus: int = 1
    memory_mib: int = 128
    icount: bool = False
    time_limit: float = 300
    verbose: bool = False
    # After run(): all that Xen, dom0 and the guest said.
    log: Path | None = field(default=None, init=False)
    # After run(): why the status is not that of a verdict.
    explanation: str = field(default='', init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.vcpus <= MOST_VCPUS:
            raise NestedError(f'{self.vcpus} vCPUs: a domain has 1 to '
                              f'{MOST_VCPUS}')
        if self.memory_mib < 4:
            raise NestedError(f'{self.memory_mib} MiB is too little memory '
                              'for a domain; give it 4 or more')

    def run(self, guest: Path | str, append: str = '',
            stdout: BinaryIO | None = None) -> int:
        """Run the guest to its end; return the status of its verdict.

        stdout takes the guest's text: the caller's unless given; anything
        with write() and flush().  For the status see verdict.py; also 124
        for the time limit, and 125 where the bed failed."""
        emulator = Path(os.path.abspath(self.qemu))
        if not emulator.exists():
            raise NestedError(f'{emulator}: no such emulator; build it first '
                              '(./run does), or name one with --qemu')
        self.explanation = ''
        mark = new_mark()
        guest = Path(guest)
        # Emulated SVM does not tell Xen where the next instruction is
        # (NRIPS), so Xen decodes those that exit by itself; in PAE mode on
        # nested paging it cannot read them (4.17: a CPUID never ends).
        shadow = initramfs.is_elf32(guest)
        own = initramfs.guest_tree(
            guest, initramfs.guest_configuration(
                self.vcpus, self.memory_mib, append, shadow,
                own_tsc=not self.icount), mark)
        release = find_release()
        initrd = image(initramfs.layers(release), own, XEN_HOST)
        started = time.monotonic()
        try:
            self.log = new_log(LOGS)
            outer = Outer(emulator, release.hypervisor,
                          release.kernel.vmlinuz, f'/dev/fd/{initrd}',
                          self.memory_mib, self.icount)
            if self.verbose:
                say(f'Xen {release.version} and Linux '
                    f'{release.kernel.release}; log: {self.log}')
            with open(self.log, 'wb') as log:
                session = Session(outer, initrd, mark,
                                  stdout or sys.stdout.buffer, log,
                                  self.time_limit)
                with session:
                    session.listen()
        finally:
            os.close(initrd)
        if self.verbose:
            say(f'{time.monotonic() - started:.1f} s from power-on to the '
                'end')
        return self._status(session)

    def _status(self, session: Session) -> int:
        """The exit status, and the reason if it is not a verdict's."""
        if session.reason is not None:
            verdict = judge(session.text.decode(errors='replace'),
                            session.reason)
            if verdict.explanation:
                self._complain(verdict.explanation, session)
            return verdict.status
        if session.timed_out:
            self._complain(f'time limit of {self.time_limit:g} s reached',
                           session)
            return STATUS_TIME_LIMIT
        self._complain('the guest did not run to an end', session)
        return STATUS_HOST_FAILED

    def _complain(self, text: str, session: Session) -> None:
        assert self.log is not None
        self.explanation = text
        say(text)
        show_end('what Xen, dom0 and the guest said', self.log,
                 self.log.read_text(errors='replace').splitlines(),
                 session.complaints)
