# SPDX-License-Identifier: GPL-2.0-or-later
"""What the conformance guest is run on."""

import io
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conformance.campaign import Run
from conformance.results import line
from nested import xen_kvm
from nested.errors import (STATUS_HOST_FAILED, STATUS_TIME_LIMIT,
                           NestedError)
from nested.host import NestedHost
from nested.paths import BUILD, EMULATOR
from xen_host.host import XenHost

STOCK_EMULATOR = BUILD / 'qemu-stock-system-x86_64'

ACCEL = 'kvm,xen-version=0x40011,kernel-irqchip=split'
MEMORY_MIB = 256

# The items that make one.
SOFT_RESETS = (16, 42, 43)


class Subject(Protocol):
    """name: for files and options; title: for the table."""
    name: str
    title: str
    # Whether a failure here is one of ours.
    must_pass: bool

    def beforehand(self) -> str:
        """Lines of items that cannot be tried on it."""

    def run(self, guest: Path, append: str, vcpus: int,
            time_limit: float) -> Run:
        """Run the guest once."""


@dataclass(frozen=True)
class Xen:
    """Xen itself."""
    name: str = 'xen'
    title: str = 'real Xen'
    must_pass: bool = True

    def beforehand(self) -> str:
        """See Subject."""
        return ''.join(line(item, 'SKIP', 'xl does no soft reset of a PVH '
                            'domain') for item in SOFT_RESETS)

    def run(self, guest: Path, append: str, vcpus: int,
            time_limit: float) -> Run:
        """See Subject."""
        host = XenHost(vcpus=vcpus, memory_mib=MEMORY_MIB,
                       time_limit=time_limit)
        said = io.BytesIO()
        status = host.run(guest, append, stdout=said)
        if status == STATUS_HOST_FAILED:
            raise NestedError(f'real Xen did not run {guest}')
        return Run(said.getvalue().decode(errors='replace'),
                   _out_of_time(time_limit) if status == STATUS_TIME_LIMIT
                   else host.explanation)


@dataclass(frozen=True)
class Qemu:
    """A QEMU on KVM, natively or in a nested host."""
    name: str
    title: str
    must_pass: bool
    emulator: Path
    options: tuple[str, ...] = ()

    def beforehand(self) -> str:
        """See Subject."""
        return ''

    def run(self, guest: Path, append: str, vcpus: int,
            time_limit: float) -> Run:
        """See Subject."""
        if not self.emulator.exists():
            raise NestedError(f'{self.emulator}: not built ({self.title})')
        command = self.command(guest, append, vcpus)
        if xen_kvm.choose().native:
            status, out, errors = _run_here(command, time_limit)
        else:
            said, complained = io.BytesIO(), io.BytesIO()
            status = NestedHost(
                qemu=self.emulator, time_limit=time_limit).run(
                    command, files=[guest], stdout=said, stderr=complained)
            out, errors = said.getvalue(), complained.getvalue()
        if status == STATUS_HOST_FAILED:
            raise NestedError(f'the nested host failed below {self.title}')
        return Run(out.decode(errors='replace'),
                   ending(status, errors.decode(errors='replace'),
                          time_limit))

    def command(self, guest: Path, append: str, vcpus: int) -> list[str]:
        """The emulator's command line."""
        return [str(self.emulator), '-nodefaults', '-no-user-config',
                '-machine', 'q35', '-accel', ACCEL, '-smp', str(vcpus),
                '-m', str(MEMORY_MIB), '-display', 'none',
                '-serial', 'stdio', '-kernel', str(guest),
                # A machine here does reboot, and wakes up by its RTC.
                '-append', f'{append} reset=1 sleep=1'.strip(),
                '-device', 'isa-debug-exit,iobase=0xf4', *self.options]


def _run_here(command: Sequence[str],
              time_limit: float) -> tuple[int, bytes, bytes]:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False,
                              timeout=time_limit)
    except subprocess.TimeoutExpired as late:
        return STATUS_TIME_LIMIT, late.stdout or b'', late.stderr or b''
    status = done.returncode
    return (128 - status if status < 0 else status), done.stdout, done.stderr


def ending(status: int, errors: str, time_limit: float) -> str:
    """How QEMU ended, for people."""
    if status == STATUS_TIME_LIMIT:
        return _out_of_time(time_limit)
    words = errors.strip().splitlines()[-1:]
    if status > 128:
        words.insert(0, f'QEMU died by {_signal_name(status - 128)}')
    else:
        words.insert(0, f'QEMU ended with status {status}')
    return ': '.join(words)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


def _out_of_time(time_limit: float) -> str:
    return f'no end within {time_limit:g} s'


def _ours(backend: str) -> Qemu:
    return Qemu(backend, f'ours, {backend}', True, EMULATOR,
                ('-global', f'xen-overlay.shared-info={backend}'))


SUBJECTS: tuple[Subject, ...] = (
    Xen(), _ours('hva'), _ours('gfn'),
    Qemu('stock', 'stock QEMU', False, STOCK_EMULATOR))
