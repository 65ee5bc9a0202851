# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one command inside the nested host."""

import itertools
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from nested import initramfs, job
from nested.errors import (STATUS_HOST_FAILED, STATUS_TIME_LIMIT,
                           NestedError)
from nested.kernel import MAINLINE, find_kernel
from nested.layer import Layer, pack, say
from nested.outer import Outer
from nested.paths import EMULATOR, LOGS, NESTED
from nested.session import Session
from nested.stream import new_mark
from nested.tree import Tree

CONSOLE_LINES = 30
# More than any test run makes, so that no log in use is removed.
LOGS_KEPT = 500
_run_number = itertools.count(1)


@dataclass
class NestedHost:
    """The options of a nested host; each run() boots a new one.

    Runs do not share anything that one of them writes: any number may be
    under way at the same time, from threads or from processes."""
    qemu: Path = EMULATOR
    memory_mib: int = 4096
    cpus: int = 1
    icount: bool = False
    kernel: str | Path = MAINLINE
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
        kernel = find_kernel(self.kernel)
        emulator = Path(os.path.abspath(self.qemu))
        image = self._image(
            initramfs.layers(kernel, emulator, files),
            initramfs.job_tree(script, mark, stdin is not None))
        try:
            self.console = _new_log()
            outer = Outer(emulator, kernel.vmlinuz, f'/dev/fd/{image}',
                          self.console, self.memory_mib, self.icount)
            session = Session(outer, image, mark,
                              stdout or sys.stdout.buffer,
                              stderr or sys.stderr.buffer, stdin,
                              self.time_limit)
            with session:
                session.listen()
        finally:
            os.close(image)
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
        for line in session.complaints.splitlines():
            print(f'  QEMU: {line}', file=sys.stderr)
        say(f'end of the nested kernel\'s console ({self.console}):')
        for line in log[-CONSOLE_LINES:]:
            print(f'  {line}', file=sys.stderr)
        sys.stderr.flush()
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

    def _image(self, layers: Sequence[Layer],
               job_tree: Tree) -> int:
        """The initramfs, in memory: nothing to clean up however we end."""
        NESTED.mkdir(parents=True, exist_ok=True)
        image = os.memfd_create('initramfs')
        try:
            with open(image, 'wb', closefd=False) as output:
                for layer in layers:
                    with open(layer.archive(), 'rb') as archive:
                        shutil.copyfileobj(archive, output, 1 << 20)
            with tempfile.TemporaryDirectory(
                    dir=NESTED, prefix='.job-') as scratch:
                job_tree.write(Path(scratch))
                pack(Path(scratch), image)
        except BaseException:
            os.close(image)
            raise
        return image


def _new_log() -> Path:
    LOGS.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime('%Y%m%d-%H%M%S')
    log = LOGS / f'{stamp}-{os.getpid()}-{next(_run_number)}.log'
    # Exists even if the emulator does not get as far as writing to it.
    log.touch(exist_ok=False)
    _prune_logs()
    return log


def _prune_logs() -> None:
    # Their names sort by time.
    for log in sorted(LOGS.glob('*.log'))[:-LOGS_KEPT]:
        log.unlink(missing_ok=True)
