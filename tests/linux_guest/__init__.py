# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Linux guest: Debian's cloud kernel and an initramfs of busybox.

Its files lie in build/linux-guest under fixed names (vmlinuz, initrd,
append), so that a test finds them without this package.
"""

import os
import tempfile
from pathlib import Path

from nested.kernel import find_kernel
from nested.layer import pack
from nested.paths import BUILD
from nested.tree import Tree

FOLDER = BUILD / 'linux-guest'
INIT = Path(__file__).with_name('init')
BUSYBOX = Path('/bin/busybox')

# no_timer_check: Linux asks within milliseconds whether its timer ticks, and
# panics if not.  On KVM it spares itself the question, on Xen it does not;
# in a host that is emulated, milliseconds are not enough.
APPEND = 'console=ttyS0 quiet no_timer_check panic=-1'


def prepare() -> Path:
    """Make the guest's files, or find them made; returns their folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _link('vmlinuz', find_kernel().vmlinuz)
    tree = Tree()
    tree.add_as(BUSYBOX, '/bin/busybox')
    tree.add_data('/init', INIT.read_bytes(), 0o755)
    for name in ('/proc', '/sys', '/dev', '/tmp'):
        tree.add_folder(name)
    archive = FOLDER / f'initrd-{tree.key("linux guest")}.cpio'
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            root = Path(scratch) / 'root'
            root.mkdir()
            tree.write(root)
            made = Path(scratch) / 'archive'
            with open(made, 'wb') as output:
                pack(root, output.fileno())
            made.rename(archive)
    _link('initrd', archive)
    (FOLDER / 'append').write_text(APPEND)
    for old in FOLDER.glob('initrd-*.cpio'):
        if old != archive:
            old.unlink()
    return FOLDER


def _link(name: str, target: Path) -> None:
    """Replace the link at once: another run may be reading through it."""
    fresh = FOLDER / f'.{name}.{os.getpid()}'
    fresh.symlink_to(target)
    fresh.rename(FOLDER / name)
