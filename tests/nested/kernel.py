# SPDX-License-Identifier: GPL-2.0-or-later
"""The nested host's kernel: found, or fetched from Debian."""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nested.errors import NestedError
from nested.layer import say
from nested.module import load_order, modinfo, module_bytes
from nested.paths import BUILD, KERNELS, ROOT

MAINLINE = 'mainline'
PACKAGE = 'linux-image-cloud-amd64'
# Written last, so that a half unpacked kernel is not taken.
NEWEST = 'newest'
WANTED = ('kvm-amd',)


@dataclass(frozen=True)
class Kernel:
    """A kernel image and the modules that give it KVM."""
    vmlinuz: Path
    modules: list[Path]    # in load order
    release: str


def find_kernel(name: str | Path = MAINLINE) -> Kernel:
    """'mainline', or a folder with vmlinuz* and *.ko (or *.ko.xz) files,
    at any depth: an unpacked Debian package is such a folder."""
    if str(name) == MAINLINE:
        return _in_folder(_mainline())
    folder = Path(name)
    if not folder.is_dir():
        raise NestedError(f'kernel {str(name)!r}: neither "{MAINLINE}" nor a '
                          'folder with vmlinuz and *.ko files')
    return _in_folder(folder.resolve())


def image_release(vmlinuz: Path) -> str:
    """The release a bzImage says it is (boot protocol, kernel_version)."""
    with open(vmlinuz, 'rb') as image:
        header = image.read(0x210)
        if header[0x202:0x206] != b'HdrS':
            raise NestedError(f'{vmlinuz}: not an x86 Linux kernel (bzImage)')
        image.seek(int.from_bytes(header[0x20e:0x210], 'little') + 0x200)
        return image.read(256).split(b'\0')[0].split(b' ')[0].decode()


def _in_folder(folder: Path) -> Kernel:
    images = sorted(p for p in folder.rglob('vmlinuz*') if p.is_file())
    if len(images) != 1:
        found = ', '.join(map(str, images)) or 'none'
        raise NestedError(f'{folder}: one vmlinuz* is needed; found: {found}')
    release = image_release(images[0])
    modules = load_order(WANTED, sorted(folder.rglob('*.ko*')))
    for module in modules:
        # "6.12.95+deb12-cloud-amd64 SMP preempt mod_unload modversions"
        built_for = modinfo(module_bytes(module), 'vermagic').split(' ')[0]
        if built_for != release:
            raise NestedError(f'{module} is for kernel {built_for}, but '
                              f'{images[0]} is {release}; build the modules '
                              f'with KERNELRELEASE={release}')
    return Kernel(images[0], modules, release)


def _mainline() -> Path:
    """Debian's 6.12 cloud kernel, unpacked but never installed."""
    newest = KERNELS / NEWEST
    try:
        folder = KERNELS / newest.read_text().strip()
        if folder.is_dir():
            return folder
    except FileNotFoundError:
        pass
    say(f'fetching the kernel ({PACKAGE}) ...')
    package = _download()
    KERNELS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KERNELS, prefix='.unpack-') as name:
        scratch = Path(name) / 'kernel'
        subprocess.run(['dpkg-deb', '--extract', package, scratch],
                       check=True)
        release = _in_folder(scratch).release
        try:
            os.rename(scratch, KERNELS / release)
        except OSError:
            # Another run was faster, and its copy is as good.
            if not (KERNELS / release).is_dir():
                raise
        mark = Path(name) / NEWEST
        mark.write_text(release + '\n')
        os.rename(mark, newest)
    return KERNELS / release


def _download() -> Path:
    """The kernel's real package: PACKAGE itself only names it."""
    tools = str(ROOT / 'tools')
    if tools not in sys.path:
        sys.path.insert(0, tools)
    try:
        # Late, so that a kernel folder can be used without the builder.
        from builder.apt import Apt
        from builder.say import UserError
    except ImportError as error:
        raise NestedError(f'{tools}/builder cannot be imported ({error}); '
                          'name a kernel folder instead of '
                          f'"{MAINLINE}"') from error
    try:
        apt = Apt(BUILD)
        suite = apt.kernel_suite()
        for package in apt.depends(PACKAGE, suite):
            if re.match(r'linux-image-\d', package):
                return apt.download(package, suite)
    except UserError as error:
        raise NestedError(str(error)) from error
    raise NestedError(f'{PACKAGE} in {suite} names no kernel image; name a '
                      'kernel folder instead')
