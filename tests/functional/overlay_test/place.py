# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a test where KVM supports Xen.

On a machine whose KVM does, a test just runs.  Elsewhere a nested host is
booted and the test runs inside that, by the same file and name; what it
says comes back as if it had run here.

Booting takes longer than most tests, so the tests of a class share one host
where the program knows that they come (expect()); a test that ends with its
host takes none of the others along: they get a new one.
"""

import os
import queue
import re
import sys
import threading
import unittest
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nested import kernel, xen_kvm
from overlay_test.environment import (EMULATOR, GUESTS, KVM_CONTRACT_TEST,
                                      LINUX_GUEST, MIGRATABLE_STOCK, ROOT,
                                      XEN_INSPECT)

# Seconds for a test: a guest that hangs must end before the runner loses its
# patience.  The host's limit is for what a test cannot end by itself.
TIME_LIMIT = 600
BOOT_LIMIT = 300
USUAL_TIME = 300

# pycotap's line on a test: "ok 2 __main__.Remap.test_hva # SKIP why".
OUTCOME = re.compile(r'^(not )?ok \d+ \w+\.(\S+)(?: # SKIP (.*))?\n', re.M)

# KVM's own tests cancel threads, for which the C library loads it by name.
LIBGCC = Path('/lib/x86_64-linux-gnu/libgcc_s.so.1')

# Tells a test in the nested host where KVM's own tests are: KERNEL=FOLDER...
KVM_SELFTESTS = 'XEN_OVERLAY_KVM_SELFTESTS'


@dataclass(frozen=True)
class Verdict:
    """What a test came to in the nested host."""
    passed: bool
    skipped: str | None
    output: str


def is_here() -> bool:
    """Whether this machine's own KVM will do."""
    return xen_kvm.choose().native


_expected: dict[type, list[str]] = defaultdict(list)
_hosts: dict[type, '_Run'] = {}


def expect(tests: Iterable[unittest.TestCase]) -> None:
    """Tests that the program will run, in this order."""
    for test in tests:
        _expected[type(test)].append(_name(test))


def run_in_nested_host(test: unittest.TestCase) -> Verdict:
    """What a test comes to, in a host that is there already or a new one."""
    name, group = _name(test), _expected[type(test)]
    host = _hosts.get(type(test))
    if host is None or name not in host.to_come:
        names = group[group.index(name):] if name in group else [name]
        host = _hosts[type(test)] = _Run(test, names)
    return host.verdict(name)


def _name(test: unittest.TestCase) -> str:
    return f'{type(test).__name__}.{test._testMethodName}'


class _Run:
    """Tests that run one after another in one nested host, in a thread of
    its own: the first verdict is there before the last test has begun."""

    def __init__(self, test: unittest.TestCase, names: Sequence[str]) -> None:
        from nested.host import NestedHost      # not there inside, nor needed

        self.to_come = list(names)
        self._text = ''
        self._last = ''     # the test that was told of last
        # Of each test its verdict; at last what the host came to.
        self._verdicts: queue.Queue[tuple[str, Verdict] | str | Exception] = \
            queue.Queue()
        self._host = NestedHost(
            qemu=Path(os.environ.get('QEMU_TEST_QEMU_BINARY', EMULATOR)),
            vfio=getattr(test, 'needs_vfio', False),
            time_limit=BOOT_LIMIT + TIME_LIMIT + USUAL_TIME * len(names))
        threading.Thread(target=self._run, args=(test, names),
                         daemon=True).start()

    def verdict(self, name: str) -> Verdict:
        """Of the test whose turn it is."""
        assert name == self.to_come.pop(0)
        match self._verdicts.get():
            case (told, verdict):
                assert told == name, f'{told} ran instead of {name}'
                return verdict
            case str() as end:
                self.to_come.clear()
                return Verdict(False, None, end)
            case error:
                self.to_come.clear()
                raise error

    def _run(self, test: unittest.TestCase, names: Sequence[str]) -> None:
        file = Path(sys.modules[type(test).__module__].__file__ or '')
        try:
            files, environment = _what_it_needs(test)
            # One stream, so that what a test says stands before its outcome.
            status = self._host.run(
                ['/bin/sh', '-c', 'exec "$@" 2>&1', 'sh', '/usr/bin/python3',
                 str(file.resolve()), *names],
                files=files, env=environment, cwd=ROOT, stdout=self,
                stderr=self)
            self._verdicts.put(
                f'{self._text}\nstatus in the nested host: {status}\n'
                f'console of its kernel: {self._host.console}')
        except Exception as error:  # whatever the nested host could not do
            self._verdicts.put(error)

    # -- a stream for the host --------------------------------------------

    def write(self, data: bytes) -> int:
        """Of what the tests say; whole lines are looked at."""
        self._text += data.decode(errors='replace')
        while outcome := OUTCOME.search(self._text):
            failed, name, skipped = outcome.groups()
            said = self._text[:outcome.end()]
            self._text = self._text[outcome.end():]
            # A test and what tidies up after it can both fail, each with an
            # outcome of its own: the first one counts.
            if name == self._last:
                continue
            self._last = name
            self._verdicts.put((name, Verdict(
                not failed, skipped,
                f'{said}console of its kernel: {self._host.console}')))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""


def _what_it_needs(test: unittest.TestCase
                   ) -> tuple[list[Path], dict[str, str]]:
    """Files to take along, and the environment inside."""
    files = [path for path in (ROOT / 'tests').rglob('*')
             if path.is_file() and path.suffix != '.pyc']
    files += [*GUESTS.glob('*.elf'), KVM_CONTRACT_TEST, XEN_INSPECT,
              *XEN_INSPECT.parent.glob('xen_inspect/*.py')]
    files += LINUX_GUEST.iterdir() if LINUX_GUEST.is_dir() else []
    if getattr(test, 'needs_migratable_stock', False):
        files += [MIGRATABLE_STOCK, MIGRATABLE_STOCK.resolve()]
    selftests = {name: _selftests(name)
                 for name in getattr(test, 'needs_selftests_of', ())
                 if name in kernel.NAMES}
    for folder in selftests.values():
        files += [LIBGCC, *folder.iterdir()]
    return [path for path in files if path.exists()], {
        **os.environ,
        xen_kvm.VARIABLE: 'native',
        KVM_SELFTESTS: ' '.join(f'{name}={folder}'
                                for name, folder in selftests.items()),
        'PYTHONUNBUFFERED': '1',
    }


def _selftests(name: str) -> Path:
    """The folder of KVM's own tests for the kernel called `name`."""
    from nested import linux    # not there inside

    return linux.selftests(name)
