# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one command inside the nested host."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from nested import initramfs, job
from nested.errors import (STATUS_HOST_FAILED, STATUS_TIME_LIMIT,
                           NestedError)
from nested.kernel import VFIO, chosen, find_kernel
from nested.layer import image, say
from nested.log import new_log, show_end
from nested.outer import Outer
from nested.paths import EMULATOR, LOGS, NESTED
from nested.session import Session
from nested.stream import new_mark


@dataclass
class NestedHost:
    """The options of a nested host; each run() boots a new one.

    Runs do not share anything that one of them writes: any number may be
    under way at the same time, from threads or from processes."""
    qemu: Path = EMULATOR
    # Taken along too.
    other_emulators: Sequence[Path] = ()
    # The outer one, where that is not `qemu`, and more of its command line.
    outer: Path | None = None
    outer_arguments: Sequence[str] = ()
    memory_mib: int = 4096
    cpus: int = 1
    icount: bool = False
    # Whether it has an IOMMU, and a PCI device, edu, to give to a guest.
    vfio: bool = False
    kernel: str | Path = field(default_factory=chosen)
    time_limit: float = 600
    verbose: bool = False
    # After run(): seconds until init was ready to run the command.
    boot_seconds: float | None = field(default=None, init=False)
    # After run(): the console of the nested kernel.
    console: Path | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.cpus != 1:
            raise NestedError(
                f'cpus={self.cpus}: the nested host has one CPU.  With more, '
                'TCG corrupts the nested kernel\'s memory (see outer.py); '
                'give the guests of the inner QEMU as many vCPUs as you like')

    def run(self, argv: Sequence[str],
            files: Sequence[initramfs.GivenFile] = (),
            env: Mapping[str, str] | None = None,
            cwd: str | Path | None = None,
            stdout: BinaryIO | None = None,
            stderr: BinaryIO | None = None,
            stdin: BinaryIO | None = None) -> int:
        """Run the command inside; return its exit status.

        files: paths, taken along under the same path with all below them,
        or pairs (source, destination).  env and cwd: the caller's unless
        given.  stdin: empty unless given.  stdout, stderr: the caller's
        unless given; anything with write() and flush().

        Status 124: time limit.  125: the nested host failed.  128 + n: the
        command died by signal n."""
        mark = new_mark()
        script = job.script(argv, job.inner_environment(env),
                            os.path.abspath(cwd or os.getcwd()))
        kernel = find_kernel(self.kernel, VFIO if self.vfio else ())
        emulator = Path(os.path.abspath(self.qemu))
        initrd = image(
            initramfs.layers(kernel, emulator, self.other_emulators, files),
            initramfs.job_tree(script, mark, stdin is not None), NESTED)
        try:
            self.console = new_log(LOGS)
            outer = Outer(self.outer or emulator, kernel.vmlinuz,
                          f'/dev/fd/{initrd}', self.console, self.memory_mib,
                          self.icount, self.vfio, self.outer_arguments)
            session = Session(outer, initrd, mark,
                              stdout or sys.stdout.buffer,
                              stderr or sys.stderr.buffer, stdin,
                              self.time_limit)
            with session:
                session.listen()
        finally:
            os.close(initrd)
        self.boot_seconds = session.boot_seconds
        return self._verdict(session, argv)

    def _verdict(self, session: Session, argv: Sequence[str]) -> int:
        """The exit status, and the reason if it is not the command's."""
        assert self.console is not None
        log = self.console.read_text(errors='replace').splitlines()
        if session.status is not None:
            self._report_health(session, log)
            return session.status
        command = shlex.join(argv)
        if session.timed_out:
            say(f'time limit of {self.time_limit:g} s reached while running: '
                f'{command}')
        elif session.complaints and not log:
            say(f'{self.qemu} did not start: {session.complaints}')
        elif panics := [line for line in log if 'Kernel panic' in line]:
            say(f'the nested kernel panicked while running: {command}')
            say(panics[0].strip())
        else:
            say('the machine ended without a status while running: '
                f'{command}')
        show_end('the nested kernel\'s console', self.console, log,
                 session.complaints)
        return STATUS_TIME_LIMIT if session.timed_out else STATUS_HOST_FAILED

    def _report_health(self, session: Session, log: Sequence[str]) -> None:
        """A run can pass on a host kernel that is not well: say so."""
        for line in log:
            if re.search(r'\b(WARNING|BUG|INFO: task .* blocked):? ', line):
                say(f'the nested kernel warned; see {self.console}: {line}')
                break
        if self.verbose:
            say(f'user space after {session.boot_seconds:.1f} s; '
                f'kernel console: {self.console}')
