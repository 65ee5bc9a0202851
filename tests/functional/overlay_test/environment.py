# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the built things are, and QEMU's test framework made importable."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / 'build'
EMULATOR = BUILD / 'qemu-system-x86_64'
MIGRATABLE_STOCK = BUILD / 'qemu-stock-migratable-system-x86_64'
KVM_CONTRACT_TEST = BUILD / 'xen-overlay/tests/unit/kvm-contract-test'
GUESTS = BUILD / 'xen-overlay' / 'tests' / 'guest'
XEN_INSPECT = ROOT / 'tools' / 'xen-inspect'
LINUX_GUEST = BUILD / 'linux-guest'

# How machines that do not say so themselves move shared_info; None: as the
# device chooses.
REMAP_METHOD = os.environ.get('XEN_OVERLAY_REMAP_METHOD') or None

QEMU_SOURCE = BUILD / 'qemu-src'

# Each with a default, so that a test can be pointed at another emulator.
os.environ.setdefault('QEMU_TEST_QEMU_BINARY', str(EMULATOR))
os.environ.setdefault('QEMU_BUILD_ROOT', str(BUILD / 'qemu'))

if not (QEMU_SOURCE / 'tests/functional/qemu_test').is_dir():
    raise ImportError(f'{QEMU_SOURCE}: QEMU\'s source is not there yet.  '
                      f'Build first: {ROOT}/test unit')

for _folder in (QEMU_SOURCE / 'python', QEMU_SOURCE / 'tests/functional',
                ROOT / 'tests'):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

# Whatever python3 is first in PATH: pycotap is a Debian package.  Last, so
# that nothing else is taken from there that this Python has itself.
sys.path.append('/usr/lib/python3/dist-packages')
