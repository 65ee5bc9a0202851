# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest under load (tests/linux_guest/load), and questions to its
overlay asked meanwhile."""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qemu.qmp import QMPError
from qemu.qmp.legacy import QEMUMonitorProtocol

from overlay_test.testcase import FAILED, OverlayTest

DISK_SIZE = 1 << 20

LINE = (r'guest: load ticks=(\d+(?:,\d+)*) token=(\d+) disk=(\d+) '
        r'epoch=([\d.]+) *\r?\n')
# As in FAILED; a block that is not what was written, and Linux's complaints.
FAILED_UNDER_LOAD = FAILED + r'|load: FAILED|BUG: |Oops:'

QUESTIONS = ('query-xen-overlay', 'query-xen-shared-info',
             'query-xen-vcpu-info')


@dataclass(frozen=True)
class Progress:
    """How far the load has come."""
    ticks: tuple[int, ...]  # by vCPU
    token: int
    disk: int
    epoch: float            # the guest's time of day, in seconds

    def counters(self) -> tuple[int, ...]:
        """All that must go on."""
        return (*self.ticks, self.token, self.disk)

    def is_behind(self, other: 'Progress') -> bool:
        """Whether everything has gone on since, on the other."""
        return all(mine < others for mine, others in
                   zip(self.counters(), other.counters(), strict=True))


@dataclass(frozen=True)
class Offset:
    """Of a clock, in seconds: between `low` and `high`."""
    low: float
    high: float

    def apart(self, other: 'Offset') -> float:
        """By how much it is surely another one."""
        return max(self.low - other.high, other.low - self.high, 0)


class LoadTest(OverlayTest):
    """A test with the Linux guest and its load."""

    def launch_load(self, append: str, *arguments: str, smp: str,
                    **options: Any) -> None:
        """Start the guest with its load and a disk; it takes commands."""
        self._vcpus = int(smp)
        # Linux has the platform device take away all disks that are not
        # Xen's, virtio's among them.
        disk = Path(self.workdir) / 'disk'
        if not disk.exists():   # or another machine has it, and hands it on
            disk.write_bytes(bytes(DISK_SIZE))
        self.launch_linux(
            f'load then=commands xen_emul_unplug=never {append}',
            '-nic', 'none',
            '-drive', f'file={disk},format=raw,if=none,id=disk',
            '-device', 'virtio-blk-pci,drive=disk',
            *arguments, smp=smp, **options)

    def wait_for_load(self, pattern: str) -> re.Match[str]:
        """Like wait_for(), and the load must not have failed."""
        return self.wait_for(pattern, failure=FAILED_UNDER_LOAD)

    def progress(self) -> Progress:
        """The next report that has all counters: now and then the guest's
        shell finds one of its files empty."""
        while True:
            ticks, token, disk, epoch = self.wait_for_load(LINE).groups()
            by_vcpu = tuple(map(int, ticks.split(',')))
            if len(by_vcpu) == self._vcpus:
                return Progress(by_vcpu, int(token), int(disk), float(epoch))
            self.log.info('not all counters in a report: %s', ticks)

    def goes_on(self, reports: int = 20) -> Progress:
        """All kinds of work make progress: within so many reports, each
        counter is above what the next report says."""
        first = self.progress()
        for _ in range(reports):
            last = self.progress()
            if first.is_behind(last):
                return last
        self.fail(f'no progress: {first}, {reports} reports later {last}')

    def fall_asleep(self, attempts: int = 10) -> None:
        """Have Linux suspend to RAM.

        Under load it says now and then that it has slept when the machine was
        never suspended, so it may have to be told again.
        """
        for _ in range(attempts):
            self.command('sleep')
            while 'guest: sleep: 0' not in self._unread:
                if self.vm.cmd('query-status')['status'] == 'suspended':
                    return
                self.read_for(0.2)
            self.log.info('the machine was not suspended')
            self.wait_for_load('guest: sleep: 0')
        self.fail(f'not suspended; the guest says:\n{self.console_text()}')

    def clock_offset(self) -> 'Offset':
        """By how much the guest's time of day is ahead of the host's.

        Linux sets its clock by the RTC when it boots, which has seconds only;
        until it has slept, this says something when compared with another.
        """
        before = time.time()
        self.command('time')
        said = self.wait_for_load(r'guest: time ([\d.]+) *\r?\n').group(1)
        guest = float(said)
        return Offset(guest - time.time(), guest - before)

    def command(self, line: str) -> None:
        """Have the guest do something (tests/linux_guest/init)."""
        self.vm.console_socket.sendall(f'{line}\n'.encode())


class Questions:
    """Asks all there is to be asked, on a monitor of its own, all the time.

    QEMU must have been started with Questions.arguments(socket).
    """

    def __init__(self, socket: Path) -> None:
        self.asked = 0
        self._socket = socket
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)

    @staticmethod
    def arguments(socket: Path) -> tuple[str, ...]:
        """What QEMU must be started with."""
        return ('-qmp', f'unix:{socket},server=on,wait=off')

    def __enter__(self) -> 'Questions':
        self._thread.start()
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error and value is None:
            raise self._error

    def _ask(self) -> None:
        try:
            monitor = QEMUMonitorProtocol(str(self._socket))
            monitor.connect()
            while not self._stop.is_set():
                for question in QUESTIONS:
                    monitor.cmd(question)
                    self.asked += 1
                self._stop.wait(0.05)
            monitor.close()
        except (OSError, QMPError) as error:
            self._error = error
