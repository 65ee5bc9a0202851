# SPDX-License-Identifier: GPL-2.0-or-later
"""The base class of the functional tests."""

import faulthandler
import os
import re
import select
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

import pycotap
from qemu_test import QemuSystemTest

from overlay_test import place
from overlay_test.environment import GUESTS, LINUX_GUEST, REMAP_METHOD
from overlay_test.generation import GFN, HVA, generation
from overlay_test.trace import OverlayTrace

ACCEL = 'kvm,xen-version=0x40011,kernel-irqchip=split'

# What isa-debug-exit makes of the guest's verdicts (tests/guest/README.md).
EXIT_PASS = 1

# How long, in seconds, a guest may say nothing while it is waited for.
SILENCE = 400

# A bare-metal guest's verdict that is no pass, and Linux's last words.
FAILED = r'VERDICT: (FAIL|ERROR|SKIP)|Kernel panic'

# What must not be found in the host kernel's log after a test.
KERNEL_TROUBLE = re.compile(r'WARNING: |BUG: |Oops|Call Trace:|INFO: task ')


class OverlayTest(QemuSystemTest):
    """A test of Xen guests on KVM; runs where KVM supports Xen."""

    # Whether a test needs such a KVM at all.
    needs_xen_kvm = True

    # Whether the nested host is to have a device for VFIO (edu.py).
    needs_vfio = False

    # Whether it is the test that says how shared_info is moved.
    has_remap_method = False

    # Whether the host kernel's log is not to be looked at.
    kernel_may_warn = False

    def run(self, result: unittest.TestResult | None = None
            ) -> unittest.TestResult | None:
        if not self.needs_xen_kvm or place.is_here():
            return super().run(result)
        result = result or self.defaultTestResult()
        result.startTest(self)
        try:
            verdict = place.run_in_nested_host(self)
            if verdict.skipped is not None:
                result.addSkip(self, verdict.skipped)
            elif verdict.passed:
                result.addSuccess(self)
            else:
                failure = AssertionError(
                    f'failed in the nested host:\n{verdict.output}')
                result.addFailure(self, (AssertionError, failure, None))
        except Exception:   # whatever the nested host could not do
            result.addError(self, sys.exc_info())
        finally:
            result.stopTest(self)
        return result

    def setUp(self) -> None:
        super().setUp()
        self._unread = ''
        self._console_text = ''
        if self.needs_xen_kvm:
            self._kernel_log = _KernelLog()
            # Inside a nested host nobody else would end a test that hangs.
            faulthandler.dump_traceback_later(place.TIME_LIMIT, exit=True)
            self.addCleanup(faulthandler.cancel_dump_traceback_later)

    def tearDown(self) -> None:
        super().tearDown()
        if self.needs_xen_kvm:
            trouble = [line for line in self._kernel_log.lines()
                       if KERNEL_TROUBLE.search(line)]
            if not self.kernel_may_warn:
                self.assertEqual([], trouble, 'the host kernel complained')
            # What a failing test's log says is lost with the nested host.
            if self._failed_so_far():
                print(f'--- console\n{self._console_text}', file=sys.stderr)
                for log in sorted(Path(self.outputdir).glob('*.log')):
                    _show(log)

    def _failed_so_far(self) -> bool:
        outcome = self._outcome     # unittest tells in no public way
        if hasattr(outcome, 'errors'):
            return any(error for _, error in outcome.errors)
        return not outcome.success

    # -- guests ----------------------------------------------------------

    def launch_xen(self, *arguments: str, machine: str = 'q35',
                   smp: str = '1', memory: str = '256') -> None:
        """Start self.vm as a Xen machine, its device's events traced; skip
        what this generation of KVM cannot be asked for."""
        kvm = generation()
        if (kvm is GFN and 'xen-overlay.shared-info=hva' in arguments or
                kvm is not HVA and
                'xen-overlay.default-vcpu-info=hva' in arguments):
            self.skipTest(f'this KVM\'s generation is {kvm}')
        self.set_machine(machine)
        self.vm.set_console()
        if REMAP_METHOD and not self.has_remap_method:
            # Before what the test says, which overrides it.
            self.vm.add_args('-global',
                             f'xen-overlay.remap-method={REMAP_METHOD}')
        # In the nested host, SeaBIOS takes half a minute to find out that the
        # CD drive is empty, and gives up on a command of AHCI's.
        self.vm.add_args('-nodefaults',
                         '-accel', ACCEL, '-smp', smp, '-m', memory,
                         *OverlayTrace.ARGUMENTS, *arguments)
        self.vm.launch()

    def launch_bare_metal(self, guest: str, append: str, *arguments: str,
                          reboot: bool = False, **options: str) -> None:
        """Start a guest of tests/guest."""
        elf = GUESTS / f'{guest}.elf'
        self.assertTrue(elf.exists(), f'{elf} is not built; ./test unit does')
        self.launch_xen('-kernel', str(elf), '-append', append,
                        *([] if reboot else ['-no-reboot']),
                        '-device', 'isa-debug-exit,iobase=0xf4',
                        *arguments, **options)

    def launch_linux(self, append: str, *arguments: str,
                     reboot: bool = False, initrd: str = 'initrd',
                     **options: str) -> None:
        """Start the Linux guest of tests/linux_guest."""
        self.launch_xen(
            '-kernel', str(LINUX_GUEST / 'vmlinuz'),
            '-initrd', str(LINUX_GUEST / initrd),
            '-append', f'{(LINUX_GUEST / "append").read_text()} {append}',
            *([] if reboot else ['-no-reboot']),
            *arguments, **{'memory': '512', **options})

    def wait_for(self, pattern: str, failure: str = FAILED) -> re.Match[str]:
        """Read the console until `pattern` (a regular expression) is found
        in what was not matched before; fail at `failure` and at its end.

        qemu_test's wait_for_console_pattern would wait for ever for a guest
        whose machine is gone, and takes the wanted text as it is.
        """
        while True:
            match = re.search(pattern, self._unread)
            if match:
                self._unread = self._unread[match.end():]
                return match
            failed = re.search(failure, self._unread)
            if failed:
                # The rest of the line says why.
                said = self._unread[failed.end():]
                while '\n' not in said:
                    more = self._receive()
                    if not more:
                        break
                    said += more
                self.fail(f'the guest says:\n{self.console_text()}')
            text = self._receive()
            if not text:
                self.fail(f'the machine ended while waiting for {pattern!r}.'
                          f'  The guest said:\n{self.console_text()}\n'
                          f'QEMU said:\n{self.vm.get_log()}')
            self._unread += text

    def _receive(self) -> str:
        self.vm.console_socket.settimeout(SILENCE)
        try:
            text = self.vm.console_socket.recv(4096).decode(errors='replace')
        except TimeoutError:
            self.fail(f'silence for {SILENCE} s.  Before, the guest said:\n'
                      f'{self.console_text()}\n'
                      f'QEMU said:\n{self.vm.get_log()}')
        self._console_text += text
        return text

    def read_for(self, seconds: float) -> None:
        """Keep what the guest says, for so long."""
        if select.select([self.vm.console_socket], [], [], seconds)[0]:
            self._unread += self._receive()

    def console_text(self) -> str:
        """What the guest has printed, as far as it was waited for."""
        return self._console_text

    def send_byte(self) -> None:
        """Let a bare-metal guest that waits (wait=1) go on."""
        self.vm.console_socket.sendall(b'\n')

    def end_of_bare_metal(self) -> None:
        """Wait for the verdict, which must be a pass."""
        self.wait_for(r'VERDICT: PASS.*\n')
        self.vm.wait(timeout=60)
        self.assertEqual(EXIT_PASS, self.vm.exitcode())

    def overlay_trace(self) -> OverlayTrace:
        """The device's events; complete only after the machine ended."""
        return OverlayTrace(self.vm.get_log() or '')

    def run_emulator(self, *arguments: str, seconds: float = 60
                     ) -> subprocess.CompletedProcess[str]:
        """Run the emulator to its end, without QMP."""
        assert self.qemu_bin
        return subprocess.run(
            [self.qemu_bin, '-display', 'none', '-nodefaults', *arguments],
            capture_output=True, text=True, check=False, timeout=seconds)


class _KernelLog:
    """What the host's kernel says from now on."""

    def __init__(self) -> None:
        self._file = os.open('/dev/kmsg',
                             os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._file, 0, os.SEEK_END)

    def lines(self) -> list[str]:
        """All of it, once.  Fails if the kernel has thrown some away."""
        records = []
        try:
            while True:
                records.append(os.read(self._file, 8192))
        except BlockingIOError:
            # "4,812,5017,-;WARNING: ..."
            return [record.decode(errors='replace').partition(';')[2]
                    for record in records]
        finally:
            os.close(self._file)


def _show(log: Path) -> None:
    text = log.read_text(errors='replace')
    print(f'--- {log}\n{text[-6000:]}', file=sys.stderr)


def main() -> None:
    """Run the tests of a file, or those named on the command line."""
    _Program(
        module='__main__', argv=sys.argv,
        testRunner=pycotap.TAPTestRunner(
            message_log=pycotap.LogMode.LogToError,
            test_output_log=pycotap.LogMode.LogToError))


class _Program(unittest.TestProgram):
    """unittest's, but it says which tests will come."""

    def runTests(self) -> None:
        place.expect(_tests(self.test))
        super().runTests()


def _tests(of: unittest.TestSuite | unittest.TestCase
           ) -> Iterator[unittest.TestCase]:
    if isinstance(of, unittest.TestCase):
        yield of
        return
    for part in of:
        yield from _tests(part)
