# SPDX-License-Identifier: GPL-2.0-or-later
"""The nested host's kernel: found, or fetched from Debian."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nested.debian import unpacked
from nested.errors import NestedError
from nested.module import load_order, modinfo, module_bytes
from nested.paths import KERNELS

if TYPE_CHECKING:
    from builder.apt import Apt

MAINLINE = 'mainline'
PACKAGE = 'linux-image-cloud-amd64'
WANTED = ('kvm-amd',)


@dataclass(frozen=True)
class Kernel:
    """A kernel image and the modules that the bed wants of it."""
    vmlinuz: Path
    modules: list[Path]    # in load order
    release: str


def find_kernel(name: str | Path = MAINLINE) -> Kernel:
    """'mainline', or a folder with vmlinuz* and *.ko (or *.ko.xz) files,
    at any depth: an unpacked Debian package is such a folder."""
    if str(name) == MAINLINE:
        return kernel_in(_mainline(), WANTED)
    folder = Path(name)
    if not folder.is_dir():
        raise NestedError(f'kernel {str(name)!r}: neither "{MAINLINE}" nor a '
                          'folder with vmlinuz and *.ko files')
    return kernel_in(folder.resolve(), WANTED)


def image_release(vmlinuz: Path) -> str:
    """The release a bzImage says it is (boot protocol, kernel_version)."""
    with open(vmlinuz, 'rb') as image:
        header = image.read(0x210)
        if header[0x202:0x206] != b'HdrS':
            raise NestedError(f'{vmlinuz}: not an x86 Linux kernel (bzImage)')
        image.seek(int.from_bytes(header[0x20e:0x210], 'little') + 0x200)
        return image.read(256).split(b'\0')[0].split(b' ')[0].decode()


def kernel_in(folder: Path, wanted: Iterable[str]) -> Kernel:
    """The kernel below a folder, with the modules that are wanted."""
    images = sorted(p for p in folder.rglob('vmlinuz*') if p.is_file())
    if len(images) != 1:
        found = ', '.join(map(str, images)) or 'none'
        raise NestedError(f'{folder}: one vmlinuz* is needed; found: {found}')
    release = image_release(images[0])
    modules = load_order(wanted, sorted(folder.rglob('*.ko*')))
    for module in modules:
        # "6.12.95+deb12-cloud-amd64 SMP preempt mod_unload modversions"
        built_for = modinfo(module_bytes(module), 'vermagic').split(' ')[0]
        if built_for != release:
            raise NestedError(f'{module} is for kernel {built_for}, but '
                              f'{images[0]} is {release}; build the modules '
                              f'with KERNELRELEASE={release}')
    return Kernel(images[0], modules, release)


def _mainline() -> Path:
    """Debian's 6.12 cloud kernel."""
    return unpacked(
        KERNELS, f'the kernel ({PACKAGE})',
        lambda apt: [image_package(apt, PACKAGE, apt.kernel_suite())])


def image_package(apt: 'Apt', package: str, suite: str | None) -> Path:
    """The kernel's real package: `package` itself only names it."""
    for real in apt.depends(package, suite):
        if re.match(r'linux-image-\d', real):
            return apt.download(real, suite)
    raise NestedError(f'{package} in {suite or "the archive"} names no '
                      'kernel image')
