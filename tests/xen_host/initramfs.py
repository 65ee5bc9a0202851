# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in dom0's initramfs."""

from pathlib import Path

from nested.errors import NestedError
from nested.initramfs import base_layer
from nested.layer import Layer
from nested.tree import Tree
from xen_host import libraries
from xen_host.paths import INIT, LAYERS
from xen_host.release import Release

PROGRAMS = ('xl', 'xenstored', 'xenconsoled', 'xen-init-dom0')
LOADER = 'ld-linux-x86-64.so.2'

# Of 64-bit 2-level event channels, but for port 0.
MOST_PORTS = 4095

# As the script "init" has them.
GUEST = '/xen-host/guest.elf'
CONFIGURATION = '/xen-host/guest.cfg'
END = '/xen-host/end'


def layers(release: Release) -> list[Layer]:
    """All but this run's own."""
    return [base_layer(release.kernel, INIT, LAYERS), tools_layer(release)]


def tools_layer(release: Release) -> Layer:
    """Xen's tools and their libraries, none of them the system's."""
    tree = Tree()
    programs = [release.tools / name for name in PROGRAMS]
    for program in programs:
        tree.add_as(program, f'/usr/bin/{program.name}')
    found = libraries.closure(programs, release.libraries)
    for name, path in found.items():
        tree.add_as(path, f'/usr/lib/x86_64-linux-gnu/{name}')
    # Where programs look for it; libc needs it too.
    tree.add_as(found[LOADER], f'/lib64/{LOADER}')
    # dom0 has a fixed size: there is nothing to take from it for a guest.
    tree.add_data('/etc/xen/xl.conf', b'autoballoon="off"\n')
    for folder in ('/run/xen', '/run/xenstored', '/var/run/xen',
                   '/var/run/xenstored', '/var/lib/xen', '/var/lib/xenstored',
                   '/var/log/xen'):
        tree.add_folder(folder)
    return Layer('tools', tree, folder=LAYERS)


def guest_tree(guest: Path, configuration: bytes, mark: bytes) -> Tree:
    """The guest; made for each run, so not a layer with a key."""
    tree = Tree()
    tree.add_as(guest, GUEST)
    tree.add_data(CONFIGURATION, configuration)
    tree.add_data(END, mark)
    return tree


def is_elf32(guest: Path) -> bool:
    """Whether a guest's file is for 32-bit code."""
    with open(guest, 'rb') as elf:
        start = elf.read(5)
    if start[:4] != b'\x7fELF' or len(start) < 5:
        raise NestedError(f'{guest}: not an ELF file; a guest here is a '
                          'bare-metal one with a PVH entry')
    return start[4] == 1    # ELFCLASS32


def guest_configuration(vcpus: int, memory_mib: int, append: str,
                        shadow: bool, own_tsc: bool = True) -> bytes:
    """The domain, as xl.cfg(5) has it.

    own_tsc=False: it reads the CPU's, where reading Xen's is an exit."""
    quoted = append.replace('\\', '\\\\').replace('"', '\\"')
    if not append.isprintable():
        raise NestedError(f'{append!r}: a command line is one line of '
                          'printable characters')
    lines = ['name = "guest"', 'type = "pvh"', f'kernel = "{GUEST}"',
             f'cmdline = "{quoted}"', f'memory = {memory_mib}',
             f'vcpus = {vcpus}', f'hap = {int(not shadow)}',
             f'tsc_mode = "{"default" if own_tsc else "native"}"',
             # All there are, where xl's default is 1023.
             f'max_event_channels = {MOST_PORTS}']
    # xl then ends with the domain, however that does, and says how it did.
    lines += [f'on_{event} = "destroy"' for event in
              ('poweroff', 'reboot', 'watchdog', 'crash', 'soft_reset')]
    return '\n'.join([*lines, '']).encode()
