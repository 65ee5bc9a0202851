#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""abi <- core <- accel/kvm, accel/host <- capi <- qom: who may include whom.

Usage: include_direction_test.py ROOT

The build keeps most of this by giving each room the include directories that
it may see; system headers, QEMU's headers and "../" get past that.
"""

import re
import sys
import tempfile
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCES = {'.hpp', '.cpp', '.h', '.c', '.in'}

# Folder -> rooms whose headers it may include, by their include prefix.
ROOMS = {
    'hw-xen/abi': {'abi'},
    'hw-xen/core': {'abi', 'core'},
    'accel/kvm': {'abi', 'core', 'kvm'},
    'accel/host': {'abi', 'core', 'host'},
    'hw-xen/include': set(),
    'hw-xen/capi': {'abi', 'core', 'host', 'kvm', 'xen-overlay'},
    # C inside QEMU: sees QEMU, and of us the C header.
    'hw-xen/qom': {'xen-overlay'},
}
PREFIXES = {'abi', 'core', 'host', 'kvm', 'xen-overlay'}
LINUX = {'accel/kvm', 'hw-xen/qom'}
QEMU = {'hw-xen/qom'}
# System headers beyond C++'s.
SYSTEM = {'accel/host': {'sys/mman.h'}}


def verdict(room, bracket, name):
    """What is wrong with one include; None if nothing is."""
    prefix = name.split('/')[0] if '/' in name else ''
    if '..' in name.split('/'):
        return 'leaves its folder'
    if prefix in PREFIXES:
        # By the angle form as well: it is found the same way.
        return None if prefix in ROOMS[room] else 'not below this room'
    if prefix in ('linux', 'asm'):
        return None if room in LINUX else 'Linux, outside accel/kvm and qom'
    if room in QEMU:
        return None
    if re.search(r'kvm|qemu|glib', name, re.IGNORECASE):
        return 'a name of QEMU or KVM'
    if name in SYSTEM.get(room, ()):
        return None
    if bracket == '<' and prefix:
        return 'a system header that is not C++\'s'
    if bracket == '"' and prefix:
        return 'of no known room'
    return None


def violations(root):
    """All forbidden includes below root, as text."""
    found = []
    for room in ROOMS:
        sources = [path for path in sorted((root / room).rglob('*'))
                   if path.suffix in SOURCES]
        if not sources:
            found.append(f'{room}: no sources; has it moved?')
        for path in sources:
            for bracket, name in INCLUDE.findall(path.read_text('utf-8')):
                wrong = verdict(room, bracket, name)
                if wrong:
                    found.append(f'{path.relative_to(root)}: {name}: {wrong}')
    known = {path.relative_to(root).parts[:2]
             for top in ('hw-xen', 'accel')
             for path in (root / top).rglob('*') if path.suffix in SOURCES}
    for parts in sorted(known - {tuple(room.split('/')) for room in ROOMS}):
        found.append(f'{"/".join(parts)}: a room without a rule')
    return found


def headers_not_compiled_alone(root):
    """Public headers that tests/unit/meson.build does not list."""
    listed = (root / 'tests/unit/meson.build').read_text('utf-8')
    headers = [header.relative_to(folder).as_posix()
               for folder in (root / 'hw-xen/abi/include',
                              root / 'hw-xen/core/include',
                              root / 'accel/kvm/include',
                              root / 'accel/host/include',
                              root / 'hw-xen/include')
               for header in folder.rglob('*.h*')]
    return [f'tests/unit/meson.build: {header} is not compiled alone'
            for header in headers if f"'{header}'" not in listed]


def check_the_checker():
    """Each planted include is found, alone; and the rest is not."""
    fine = {
        'hw-xen/abi/a.hpp': '#include <compare>\n#include "abi/b.hpp"\n',
        'hw-xen/core/a.cpp': '#include "abi/b.hpp"\n#include "core/a.hpp"\n'
                             '// #include <linux/kvm.h>\n',
        'accel/kvm/a.cpp': '#include <linux/kvm.h>\n#include "core/a.hpp"\n',
        'accel/host/a.cpp': '#include <sys/mman.h>\n#include "core/a.hpp"\n',
        'hw-xen/include/xen-overlay/a.h': '#include <stdint.h>\n',
        'hw-xen/capi/a.cpp': '#include "kvm/a.hpp"\n'
                             '#include "xen-overlay/a.h"\n',
        'hw-xen/qom/a.c': '#include "qemu/osdep.h"\n#include <linux/kvm.h>\n'
                          '#include "xen-overlay/a.h"\n',
    }
    planted = [
        ('hw-xen/abi/x.hpp', '#include "core/a.hpp"'),
        ('hw-xen/abi/x.hpp', '#include <linux/types.h>'),
        ('hw-xen/core/x.hpp', '#include "kvm/a.hpp"'),
        ('hw-xen/core/x.hpp', '#include <kvm/a.hpp>'),
        ('hw-xen/core/deep/x.cpp', '  #  include "xen-overlay/a.h"'),
        ('hw-xen/core/x.cpp', '#include <linux/kvm.h>'),
        ('hw-xen/core/x.cpp', '#include <asm/kvm.h>'),
        ('hw-xen/core/x.cpp', '#include <glib.h>'),
        ('hw-xen/core/x.cpp', '#include "qemu/osdep.h"'),
        ('hw-xen/core/x.cpp', '#include "system/runstate.h"'),
        ('hw-xen/core/x.cpp', '#include <sys/ioctl.h>'),
        ('hw-xen/core/x.cpp', '#include "../../accel/kvm/x.hpp"'),
        ('accel/kvm/x.cpp', '#include "xen-overlay/a.h"'),
        ('accel/kvm/x.cpp', '#include "qemu/osdep.h"'),
        ('hw-xen/capi/x.cpp', '#include <linux/kvm.h>'),
        ('accel/kvm/x.cpp', '#include <sys/mman.h>'),
        ('accel/host/x.cpp', '#include <sys/ioctl.h>'),
        ('accel/host/x.cpp', '#include "kvm/a.hpp"'),
        ('hw-xen/include/xen-overlay/x.h', '#include "core/a.hpp"'),
        ('hw-xen/qom/x.c', '#include "core/a.hpp"'),
        ('hw-xen/attic/x.cpp', ''),
    ]
    for path, line in [(None, None), *planted]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in (fine | ({path: line + '\n'} if path else {})
                               ).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            found = violations(root)
            if len(found) != (1 if path else 0):
                return [f'the check itself: {path}: {line}: found {found}']
    with tempfile.TemporaryDirectory() as folder:
        if len(violations(Path(folder))) != len(ROOMS):
            return ['the check itself: an empty tree passes']
    return []


def main():
    root = Path(sys.argv[1])
    wrong = (check_the_checker() + violations(root)
             + headers_not_compiled_alone(root))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
