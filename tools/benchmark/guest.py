# SPDX-License-Identifier: GPL-2.0-or-later
"""A bare-metal benchmark guest, told what to do and listened to.

Runs where KVM is, which may be a nested host.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Sequence

from .samples import Samples, read_samples
from .variant import Variant

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'build/qemu-src/python'))
# pylint: disable-next=wrong-import-position
from qemu.machine import QEMUMachine    # noqa: E402

GUESTS = ROOT / 'build/xen-overlay/tests/guest'
ACCEL = 'kvm,xen-version=0x40011,kernel-irqchip=split'
EXIT_PASS = 1
# Loads the guest and does nothing else. SeaBIOS has all vCPUs run one by one,
# while those that wait for their turn keep the one host CPU busy.
FIRMWARE = 'qboot.rom'
# By a clock that counts instructions, and jumps where there are none.
SILENCE_SECONDS = 120


class GuestError(Exception):
    """The guest did not do what it was told to."""


def machine(variant: Variant, vcpus: int, memory: int,
            *arguments: str) -> QEMUMachine:
    """A machine that emulates Xen, not started yet."""
    made = QEMUMachine(variant.emulator)
    made.set_machine('q35')
    made.set_console()
    made.add_args(
        '-accel', ACCEL, '-smp', str(vcpus), '-m', str(memory),
        # With the default devices, firmware takes for ever where
        # instructions are counted, and stock QEMU crashes at its end.
        '-nodefaults', *variant.arguments(), *arguments)
    return made


def bare_metal(variant: Variant, name: str, append: str, vcpus: int,
               memory: int, no_reboot: bool = True,
               arguments: Sequence[str] = ()) -> Guest:
    """One of tests/guest."""
    return Guest(machine(
        variant, vcpus, memory, *(['-no-reboot'] if no_reboot else []),
        *arguments, '-bios', FIRMWARE,
        '-device', 'isa-debug-exit,iobase=0xf4',
        '-kernel', str(GUESTS / f'{name}.elf'), '-append', append))


class Guest:
    """Use as a context manager: the machine is gone afterwards."""

    def __init__(self, own: QEMUMachine) -> None:
        self.machine = own
        self._unread = ''

    def __enter__(self) -> 'Guest':
        self.machine.launch()
        self.machine.console_socket.settimeout(SILENCE_SECONDS)
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.machine.kill()
        self.machine.shutdown()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read what it says until `pattern` is found in it."""
        while True:
            match = re.search(pattern, self._unread)
            if match:
                self._unread = self._unread[match.end():]
                return match
            try:
                text = self.machine.console_socket.recv(65536)
            except TimeoutError:
                text = b''
            self._unread += text.decode(errors='replace')
            verdict = re.search(r'VERDICT: (?!PASS).*\n', self._unread)
            if verdict or not text:
                raise GuestError(
                    f'no {pattern!r} but: {self._unread[-400:]}'
                    f'{self.machine.get_log() or ""}')

    def say(self, text: str) -> None:
        """On its console."""
        self.machine.console_socket.sendall(text.encode())

    def told(self, command: str) -> Samples:
        """Have a command done; returns what it measured."""
        self.say(command)
        said = self.wait_for(rf'(?s)^(.*?)END {command}\r?\n').group(1)
        return read_samples(said)

    def end(self) -> None:
        """Have it end, which must be a pass."""
        self.say('q')
        self.wait_for(r'VERDICT: PASS.*\n')
        self.machine.wait(timeout=60)
        if self.machine.exitcode() != EXIT_PASS:
            raise GuestError(f'exit status {self.machine.exitcode()}: '
                             f'{self.machine.get_log()}')
