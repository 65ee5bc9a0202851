# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages that the project needs, and why."""

from __future__ import annotations

import subprocess

from .apt import Apt
from .paths import BUILD

# QEMU and our library.
BUILDING = [
    'gcc', 'g++', 'libc6-dev',
    'g++-multilib',         # the 32-bit bare-metal guest: headers, libgcc; a
                            # half of what an i686 cross compiler takes
    'ccache',               # two builds of QEMU share most objects
    'git',                  # keeps QEMU's patched source (qemu_source.py)
    'dpkg-dev', 'patch', 'xz-utils',    # unpack QEMU's source package
    'meson', 'ninja-build', 'pkg-config',
    'python3-venv',         # QEMU's configure makes one
    'python3-pycotap',      # test results; QEMU's configure wants it too
    'bison', 'flex',
    'libglib2.0-dev', 'libpixman-1-dev', 'zlib1g-dev',
]

# What QEMU loads into a guest; Debian's QEMU source has no binaries.
FIRMWARE = ['seabios', 'qemu-system-data', 'ipxe-qemu']

# The test beds (tests/nested, tests/xen_host) and the Linux guest.
RUNNING = ['busybox-static', 'cpio', 'binutils']

TESTING = [
    'libgtest-dev',
    'kexec-tools',          # goes into the Linux guest (tests/linux_guest)
]

# ./bench alone.
PLOTTING = ['python3-matplotlib']

# KVM modules for the nested host (tests/nested/linux.py).
LINUX_BUILDING = [
    'gcc', 'libc6-dev', 'make', 'binutils', 'patch', 'xz-utils', 'bison',
    'flex', 'bc',
    'libelf-dev',           # objtool
    'libssl-dev',           # the tools that Linux would sign modules with
    'pahole',               # or Linux configures itself without BTF
]

# Older versions than these will not do: QEMU 10.0's requirement.
MINIMUM = {'meson': '1.5.0'}


def ensure(names: list[str]) -> None:
    """Install what is missing of `names`; quick when nothing is."""
    missing = [name for name in names if not _is_installed(name)]
    if not missing:
        return
    apt = Apt(BUILD)
    extra = apt.extra_suite()
    # A package that the system's own suite lacks, or has too old, comes from
    # the other one; by name, so that nothing else is drawn from there.
    lent = [name for name in missing
            if extra and (name in MINIMUM or not apt.has(name))]
    own = [name for name in missing if name not in lent]
    if own:
        apt.install(own)
    if lent:
        apt.install(lent, suite=extra)


def _is_installed(name: str) -> bool:
    try:
        done = subprocess.run(
            ['dpkg-query', '--show', '--showformat', '${db:Status-Status} '
             '${Version}', name], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False    # not Debian; what is next to come, Apt, says so
    status, _, version = done.stdout.partition(' ')
    if done.returncode or status != 'installed':
        return False
    minimum = MINIMUM.get(name)
    return minimum is None or subprocess.run(
        ['dpkg', '--compare-versions', version, 'ge', minimum],
        check=False).returncode == 0
