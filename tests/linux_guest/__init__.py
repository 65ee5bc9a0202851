# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Linux guest: Debian's cloud kernel and an initramfs of busybox.

Its files lie in build/linux-guest under fixed names (vmlinuz, initrd,
initrd-kexec, append), so that a test finds them without this package.
"""

import os
import tempfile
from pathlib import Path

from nested.initramfs import add_libraries
from nested.kernel import find_kernel, kernel_in
from nested.layer import pack
from nested.module import module_bytes, module_name
from nested.paths import BUILD
from nested.tree import Tree

FOLDER = BUILD / 'linux-guest'
INIT = Path(__file__).with_name('init')
LOAD = Path(__file__).with_name('load')
BUSYBOX = Path('/bin/busybox')
KEXEC = '/sbin/kexec'

# Not built into Debian's cloud kernel; for the disk of `load`.
MODULES = ('virtio_blk',)

# no_timer_check: Linux asks within milliseconds whether its timer ticks, and
# panics if not.  On KVM it spares itself the question, on Xen it does not;
# in a host that is emulated, milliseconds are not enough.
APPEND = 'console=ttyS0 quiet no_timer_check panic=-1'


def prepare() -> Path:
    """Make the guest's files, or find them made; returns their folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    vmlinuz = find_kernel().vmlinuz
    _link('vmlinuz', vmlinuz)
    _link('initrd', _archive('initrd', _tree(vmlinuz)))
    (FOLDER / 'append').write_text(APPEND)
    return FOLDER


def prepare_kexec() -> None:
    """Make one more initrd, initrd-kexec: it has what the guest's command
    kexec starts, which is the guest itself."""
    vmlinuz = find_kernel().vmlinuz
    tree = _tree(vmlinuz)
    tree.add(KEXEC)
    add_libraries(tree, [KEXEC])
    tree.add_as(vmlinuz, '/boot/vmlinuz')
    tree.add_as(FOLDER / 'initrd', '/boot/initrd')
    _link('initrd-kexec', _archive('with-kexec', tree))


def _tree(vmlinuz: Path) -> Tree:
    tree = Tree()
    tree.add_as(BUSYBOX, '/bin/busybox')
    tree.add_data('/init', INIT.read_bytes(), 0o755)
    tree.add_data('/load', LOAD.read_bytes(), 0o755)
    # The folder that Debian's package was unpacked to.
    kernel = kernel_in(vmlinuz.parents[1], MODULES)
    for number, module in enumerate(kernel.modules):
        tree.add_data(f'/modules/{number:02}-{module_name(module)}.ko',
                      module_bytes(module))
    for name in ('/proc', '/sys', '/dev', '/tmp'):
        tree.add_folder(name)
    return tree


def _archive(name: str, tree: Tree) -> Path:
    """The tree as an archive, and none of that name but this one."""
    archive = FOLDER / f'{name}-{tree.key("linux guest")}.cpio'
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            root = Path(scratch) / 'root'
            root.mkdir()
            tree.write(root)
            made = Path(scratch) / 'archive'
            with open(made, 'wb') as output:
                pack(root, output.fileno())
            made.rename(archive)
    for old in FOLDER.glob(f'{name}-*.cpio'):
        if old != archive:
            old.unlink()
    return archive


def _link(name: str, target: Path) -> None:
    """Replace the link at once: another run may be reading through it."""
    fresh = FOLDER / f'.{name}.{os.getpid()}'
    fresh.symlink_to(target)
    fresh.rename(FOLDER / name)
