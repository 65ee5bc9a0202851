# SPDX-License-Identifier: GPL-2.0-or-later
"""The nested host's kernel: by name, or a folder."""

import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nested.errors import NestedError
from nested.module import load_order, modinfo, module_bytes, module_name

if TYPE_CHECKING:
    from builder.apt import Apt

MAINLINE = 'mainline'
# Those that the project makes (linux.py).
NAMES = (MAINLINE, 'gfn', 'default-slot', 'newest',
         'default-slot-newest')
# Names the kernel where none is asked for.
VARIABLE = 'XEN_OVERLAY_KERNEL'
WANTED = ('kvm-amd',)
# For the device of outer.py that a guest can be given.
VFIO = ('vfio_iommu_type1', 'vfio_pci')
# Built into newer kernels; the ports of outer.py.
PORTS = ('virtio_pci', 'virtio_console')


@dataclass(frozen=True)
class Kernel:
    """A kernel image and the modules that the bed wants of it."""
    vmlinuz: Path
    modules: list[Path]    # in load order
    release: str


def chosen(env: Mapping[str, str] = os.environ) -> str:
    """The kernel to use where none is named."""
    return env.get(VARIABLE) or MAINLINE


def find_kernel(name: str | Path = MAINLINE,
                more: Sequence[str] = ()) -> Kernel:
    """One of NAMES, or a folder with vmlinuz* and *.ko (or *.ko.xz) files,
    at any depth: an unpacked Debian package is such a folder.  `more`: modules
    that are wanted besides."""
    if str(name) in NAMES:
        return in_folder(_made(str(name)), more)
    folder = Path(name)
    if not folder.is_dir():
        raise NestedError(f'kernel {str(name)!r}: neither one of '
                          f'{", ".join(NAMES)} nor a folder with vmlinuz and '
                          '*.ko files')
    return in_folder(folder.resolve(), more)


def image_release(vmlinuz: Path) -> str:
    """The release a bzImage says it is (boot protocol, kernel_version)."""
    with open(vmlinuz, 'rb') as image:
        header = image.read(0x210)
        if header[0x202:0x206] != b'HdrS':
            raise NestedError(f'{vmlinuz}: not an x86 Linux kernel (bzImage)')
        image.seek(int.from_bytes(header[0x20e:0x210], 'little') + 0x200)
        return image.read(256).split(b'\0')[0].split(b' ')[0].decode()


def in_folder(folder: Path, more: Sequence[str] = ()) -> Kernel:
    """The kernel of such a folder."""
    names = {module_name(path) for path in folder.rglob('*.ko*')}
    return kernel_in(folder, [*wanted_of(names), *more])


def wanted_of(names: Container[str]) -> list[str]:
    """What the nested host wants of modules with these names."""
    return [*(name for name in PORTS if name in names), *WANTED]


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


def image_package(apt: 'Apt', package: str, suite: str | None) -> Path:
    """The kernel's real package: `package` itself only names it."""
    return apt.download(image_name(apt, package, suite), suite)


def image_name(apt: 'Apt', package: str, suite: str | None) -> str:
    """What the kernel's real package is called."""
    for real in apt.depends(package, suite):
        if re.match(r'linux-image-\d', real):
            return real
    raise NestedError(f'{package} in {suite or "the archive"} names no '
                      'kernel image')


def _made(name: str) -> Path:
    """The folder of a kernel that the project makes."""
    try:
        # Late, so that a kernel folder can be used without the builder.
        from nested import linux
    except ImportError as error:
        raise NestedError(f'tools/builder cannot be imported ({error}); name '
                          f'a kernel folder instead of "{name}"') from error
    try:
        return linux.folder(name)
    except linux.UserError as error:
        raise NestedError(str(error)) from error
