# SPDX-License-Identifier: GPL-2.0-or-later
"""A release of Xen, as Debian packages it: hypervisor, tools, dom0's kernel.

No name here has a version in it: which Xen it is follows from the archive.
"""

import gzip
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nested.debian import unpacked
from nested.errors import NestedError
from nested.kernel import Kernel, image_package, kernel_in
from xen_host.paths import KERNELS, PACKAGES

if TYPE_CHECKING:
    from builder.apt import Apt

# Names the hypervisor and the tools of the release's Xen.
XEN_PACKAGE = 'xen-system-amd64'
# The cloud kernel cannot be dom0.
KERNEL_PACKAGE = 'linux-image-amd64'

# What the tools ask of dom0's kernel.
MODULES = ('xen-evtchn', 'xen-gntalloc', 'xen-gntdev', 'xen-privcmd',
           'xenfs')


@dataclass(frozen=True)
class Release:
    """What the bed is made of."""
    version: str        # 4.17
    hypervisor: Path    # an ELF file, as QEMU's multiboot loader wants it
    tools: Path         # a folder with programs
    libraries: list[Path]       # folders with shared libraries
    kernel: Kernel


def find_release() -> Release:
    """Debian's Xen and kernel, fetched unless they are there."""
    root = unpacked(PACKAGES, f'Xen ({XEN_PACKAGE})', _download)
    kernels = unpacked(
        KERNELS, f"dom0's kernel ({KERNEL_PACKAGE})",
        lambda apt: [image_package(apt, KERNEL_PACKAGE, None)],
        keep=r'/boot/vmlinuz-|/drivers/xen/')
    return release_in(root, kernel_in(kernels, MODULES))


def release_in(root: Path, kernel: Kernel) -> Release:
    """The release whose packages are unpacked below root."""
    tools = _only(root, 'usr/lib/xen-*/bin/xl').parent
    version = tools.parent.name.removeprefix('xen-')
    packed = _only(root, f'boot/xen-{version}-amd64.gz')
    libraries = [root / folder for folder in ('usr/lib/x86_64-linux-gnu',
                                              'lib/x86_64-linux-gnu')]
    return Release(version, _decompressed(packed), tools,
                   [folder for folder in libraries if folder.is_dir()],
                   kernel)


def _download(apt: 'Apt') -> list[Path]:
    names = apt.depends(XEN_PACKAGE)
    hypervisor = _named(names, r'xen-hypervisor-\d.*')
    tools = _named(names, r'xen-utils-\d.*')
    return [apt.download(name)
            for name in [hypervisor, tools, *library_packages(apt, tools)]]


def library_packages(apt: 'Apt', package: str) -> list[str]:
    """The libraries that a package depends on, and all that these do."""
    todo = [name for name in apt.depends(package) if name.startswith('lib')]
    found: list[str] = []
    while todo:
        name = todo.pop(0)
        if name not in found:
            found.append(name)
            todo += apt.depends(name)
    return found


def _named(names: list[str], pattern: str) -> str:
    for name in names:
        if re.fullmatch(pattern, name):
            return name
    raise NestedError(f'{XEN_PACKAGE} names no package like {pattern}; it '
                      f'names {", ".join(names) or "none"}')


def _only(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern))
    if len(found) != 1:
        raise NestedError(f'{root}: one {pattern} is needed, {len(found)} '
                          'are there; delete that folder to fetch it again')
    return found[0]


def _decompressed(packed: Path) -> Path:
    """Beside the packed file.  QEMU's loader takes no compressed one."""
    plain = packed.with_suffix('')
    if not plain.exists():
        unfinished = plain.with_name(f'.{plain.name}.{os.getpid()}')
        unfinished.write_bytes(gzip.decompress(packed.read_bytes()))
        unfinished.rename(plain)
    return plain
