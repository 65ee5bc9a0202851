# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a test where KVM supports Xen.

On a machine whose KVM does, a test just runs.  Elsewhere a nested host is
booted and the test runs inside that, by the same file and name; what it
says comes back as if it had run here.  Each test gets a nested host of its
own: whatever one does to its kernel, the next one does not see it.
"""

import io
import os
import re
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

from nested import kernel, xen_kvm
from overlay_test.environment import (EMULATOR, GUESTS, KVM_CONTRACT_TEST,
                                      LINUX_GUEST, ROOT, XEN_INSPECT)

# A guest that hangs must end before the runner loses its patience.
TIME_LIMIT = 900

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


def run_in_nested_host(test: unittest.TestCase) -> Verdict:
    """Run one test method in a nested host."""
    from nested.host import NestedHost      # not there inside, nor needed

    file = Path(sys.modules[type(test).__module__].__file__ or '').resolve()
    name = f'{type(test).__name__}.{test._testMethodName}'
    files = [path for path in (ROOT / 'tests').rglob('*')
             if path.is_file() and path.suffix != '.pyc']
    files += [*GUESTS.glob('*.elf'), KVM_CONTRACT_TEST, XEN_INSPECT,
              *XEN_INSPECT.parent.glob('xen_inspect/*.py')]
    files += LINUX_GUEST.iterdir() if LINUX_GUEST.is_dir() else []
    selftests = {name: _selftests(name)
                 for name in getattr(test, 'needs_selftests_of', ())
                 if name in kernel.NAMES}
    for folder in selftests.values():
        files += folder.iterdir()
    environment = {
        **os.environ,
        xen_kvm.VARIABLE: 'native',
        KVM_SELFTESTS: ' '.join(f'{name}={folder}'
                                for name, folder in selftests.items()),
        'PYTHONUNBUFFERED': '1',
    }
    output = io.BytesIO()
    errors = io.BytesIO()
    host = NestedHost(
        qemu=Path(os.environ.get('QEMU_TEST_QEMU_BINARY', EMULATOR)),
        time_limit=TIME_LIMIT)
    status = host.run(['/usr/bin/python3', str(file), name],
                      files=[path for path in files if path.exists()],
                      env=environment, cwd=ROOT, stdout=output, stderr=errors)
    text = (errors.getvalue() + output.getvalue()).decode(errors='replace')
    skipped = re.search(r'^ok .* # SKIP (.*)$', text, re.M)
    # A status of 0 is not enough: a run without any test has it too.
    passed = status == 0 and re.search(r'^ok 1 ', text, re.M) is not None
    return Verdict(passed, skipped.group(1) if skipped else None,
                   f'{text}\nstatus in the nested host: {status}\n'
                   f'console of its kernel: {host.console}')


def _selftests(name: str) -> Path:
    """The folder of KVM's own tests for the kernel called `name`."""
    from nested import linux    # not there inside

    return linux.selftests(name)
