# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernels by name: fetched, some of them with a KVM built anew.

Nothing is installed: packages are downloaded and unpacked below KERNELS.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nested.kernel import Kernel, image_name, in_folder, wanted_of
from nested.layer import say
from nested.module import load_order, module_bytes, module_name
from nested.paths import BUILD, KERNELS, ROOT

if str(ROOT / 'tools') not in sys.path:
    sys.path.insert(0, str(ROOT / 'tools'))

# pylint: disable=wrong-import-position
from builder import packages  # noqa: E402
from builder.apt import Apt  # noqa: E402
from builder.linux import LinuxSource  # noqa: E402
from builder.say import UserError  # noqa: E402

IMAGE = 'linux-image-cloud-amd64'
NEWEST = 'trixie-backports'
# What a kernel's image package may be split into.
PARTS = re.compile(r'linux-(binary|modules|base)-\d')
# KVM's own tests of its Xen support.
SELFTESTS = ('xen_shinfo_test', 'xen_vmcall_test')


@dataclass(frozen=True)
class Recipe:
    """Where a kernel comes from, and what is done to its KVM."""
    suite: str | None = None    # the builder's choice for this system
    options: tuple[str, ...] = ()
    patches: Path | None = None

    def series(self) -> list[Path]:
        """The patches, in order."""
        return sorted(self.patches.glob('[0-9]*.patch')) \
            if self.patches else []

    def is_packaged(self) -> bool:
        """Whether the kernel is taken as Debian built it."""
        return not (self.options or self.patches)

    def key(self) -> str:
        """What must change whenever the result would."""
        digest = hashlib.sha256(repr((self.suite, self.options)).encode())
        for patch in self.series():
            digest.update(patch.read_bytes())
        return digest.hexdigest()[:16]


RECIPES = {
    'mainline': Recipe(),
    'gfn': Recipe(suite='bookworm', options=('KVM_XEN',)),
    'default-slot': Recipe(patches=ROOT / 'tests/kernel/default-slot'),
    'newest': Recipe(suite=NEWEST),
    'default-slot-newest': Recipe(
        suite=NEWEST, patches=ROOT / 'tests/kernel/default-slot-newest'),
}


def folder(name: str) -> Path:
    """The folder of the kernel called `name`; made if nobody made it yet."""
    recipe = RECIPES[name]
    with _locked(name):
        return _made(name, recipe.key()) or _make(name, recipe)


def selftests(name: str) -> Path:
    """A folder with KVM's own tests, from the source of this kernel."""
    place = folder(name) / 'selftests'
    with _locked(name):
        if not place.is_dir():
            _make_selftests(name, RECIPES[name], place)
    return place


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Tests run side by side; the second waits for what the first makes."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    with open(KERNELS / f'{name}.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(name: str, key: str) -> Path | None:
    """The folder, if it was made by the same recipe."""
    try:
        made, by = (KERNELS / f'{name}.made').read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return KERNELS / made if by == key and (KERNELS / made).is_dir() else None


def _make(name: str, recipe: Recipe) -> Path:
    archive = _Archive(recipe)
    with tempfile.TemporaryDirectory(dir=KERNELS, prefix='.make-') as scratch:
        packaged = Path(scratch) / 'packaged'
        say(f'fetching the kernel "{name}" ({IMAGE} of {archive.suite}) ...')
        archive.unpack_image(packaged)
        kernel = in_folder(packaged)
        if recipe.is_packaged():
            result = packaged
        else:
            result = Path(scratch) / 'rebuilt'
            source = archive.source(kernel.release, Path(scratch), recipe)
            _rebuild(kernel, source, result)
        destination = KERNELS / f'{name}-{kernel.release}'
        if destination.exists():
            shutil.rmtree(destination)
        os.rename(result, destination)
        # Last, so that a half made kernel is not taken.
        (KERNELS / f'{name}.made').write_text(
            f'{destination.name} {recipe.key()}\n')
    return destination


def _rebuild(kernel: Kernel, source: LinuxSource, into: Path) -> None:
    """The packaged image with KVM's modules built from `source`."""
    built = source.kvm_modules()
    into.mkdir()
    shutil.copy2(kernel.vmlinuz, into)
    modules = {module_name(path): path for path in [*kernel.modules, *built]}
    for path in load_order(wanted_of(modules), modules.values()):
        (into / path.name.removesuffix('.xz')).write_bytes(module_bytes(path))
    source.selftests(SELFTESTS, into / 'selftests')


def _make_selftests(name: str, recipe: Recipe, place: Path) -> None:
    release = in_folder(place.parent).release
    with tempfile.TemporaryDirectory(dir=KERNELS, prefix='.make-') as scratch:
        source = _Archive(recipe).source(release, Path(scratch), recipe)
        made = Path(scratch) / 'selftests'
        source.selftests(SELFTESTS, made)
        os.rename(made, place)


class _Archive:
    """A suite of Debian's archive, and the kernel's packages in it."""

    def __init__(self, recipe: Recipe) -> None:
        apt = Apt(BUILD)
        self.suite = recipe.suite or apt.kernel_suite()
        self._apt = apt if apt.knows(self.suite) else \
            Apt(BUILD, only=self.suite)

    def unpack_image(self, into: Path) -> None:
        """The kernel's image and modules."""
        real = image_name(self._apt, IMAGE, self.suite)
        parts = [part for part in self._apt.depends(real, self.suite)
                 if PARTS.match(part)]
        for package in [real, *parts]:
            self._unpack(package, into)

    def source(self, release: str, into: Path, recipe: Recipe) -> LinuxSource:
        """The source of the kernel of this release, configured like it."""
        packages.ensure(packages.LINUX_BUILDING)
        series = '.'.join(re.findall(r'\d+', release)[:2])
        headers = f'linux-headers-{release}'
        for package in (headers, f'linux-source-{series}'):
            self._unpack(package, into / 'source')
        sources = into / 'source/usr/src'
        source = LinuxSource.unpack(sources / f'linux-source-{series}.tar.xz',
                                    into / 'tree', release)
        for patch in recipe.series():
            source.patch(patch)
        source.configure(sources / headers, recipe.options)
        return source

    def _unpack(self, package: str, into: Path) -> None:
        deb = self._apt.download(package, self.suite)
        subprocess.run(['dpkg-deb', '--extract', deb, into], check=True)
