# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/profile: where the instructions of a remap go, by function."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from builder import emulator, options, own_project, packages
from builder.paths import QEMU_SOURCE, ROOT
from builder.say import UserError, step

DESCRIPTION = '''Counts the instructions of remaps by address, and names what they
are in: the host's kernel, the emulator, the guest.

The emulator below the nested host counts (tools/profiler/plugin/count.c); a
stock QEMU with support for plugins is built for that.  Tables go to stdout,
and to docs/benchmarks/profile.md where --update is given.'''
PAGE = ROOT / 'docs/benchmarks/profile.md'
HEAD = '''# Where the instructions of a remap go

Written by `tools/profile --update`, at {commit}; [README](README.md) says what
it shows. Each figure is of one operation, the mean of some: a function's
without what it calls, by the virtual address of each block of instructions
that the nested host executed. Names of static functions of libraries are those
of the exported function before them.

'''
LOOPS = 40
FRESH = 3

# As tests/guest/remap_cost marks them.
EXITS, REMAPS, _TOUCH, FRESH_REMAP, FRESH_TOUCH = range(1, 6)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='tools/profile', description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--update', action='store_true',
                        help=f'write {PAGE.relative_to(ROOT)}')
    options.add_build_options(parser)
    return parser.parse_args()


def build(arguments: argparse.Namespace) -> None:
    """Both emulators, the guest, and the plugin."""
    from profiler.case import PLUGIN

    emulator.check_place()
    packages.ensure(packages.BUILDING + packages.FIRMWARE + packages.RUNNING +
                    packages.TESTING)
    emulator.build(arguments.with_qemu_source, arguments.configure)
    emulator.build_counting(arguments.with_qemu_source, arguments.configure)
    own_project.build_guests()
    flags = shlex.split(subprocess.run(
        ['pkg-config', '--cflags', 'glib-2.0'], capture_output=True,
        text=True, check=True).stdout)
    done = subprocess.run(
        ['gcc', '-O2', '-Wall', '-shared', '-fPIC',
         f'-I{QEMU_SOURCE}/include/qemu', *flags,
         str(ROOT / 'tools/profiler/plugin/count.c'), '-o', str(PLUGIN)],
        check=False)
    if done.returncode:
        raise UserError('the plugin cannot be compiled')


def main() -> int:
    arguments = parse()
    build(arguments)
    sys.path.insert(0, str(ROOT / 'tests'))
    from profiler import page

    text = HEAD.format(commit=subprocess.run(
        ['git', '-C', str(ROOT), 'describe', '--always', '--dirty'],
        capture_output=True, text=True, check=True).stdout.strip())
    few, sections = profile(4)
    text += '\n'.join(sections)
    many, _ = profile(64)
    text += '\n' + page.difference(
        'What a remap with 64 vCPUs takes more than with 4', few, many)
    print(text)
    if arguments.update:
        PAGE.write_text(text)
    return 0


def profile(vcpus: int) -> tuple[dict, list[str]]:
    """The functions of a remap with so many vCPUs, and all tables."""
    from profiler import counts, page
    from profiler.case import Case, run

    step(f'profiling with {vcpus} vCPUs')
    done = run(Case('remap_cost', f'loops={LOOPS} after={FRESH}', vcpus, 512,
                    'errrrtf'))

    def mean(number: int, operations: int, last: int) -> counts.Window:
        found = [window for window in done.windows if window.number == number]
        return counts.mean(found[-last:], operations)

    # The last time: before, caches of the kernel's are filled, and QEMU frees
    # what it no longer needed when the machine was up.
    remap = mean(REMAPS, LOOPS, 1)
    machine = f'{vcpus} vCPUs, 512 MiB'
    sections = [
        page.section(f'A remap ({machine})', remap, done.symbols),
        page.section(f'An empty exit ({machine})', mean(EXITS, LOOPS, 1),
                     done.symbols),
        page.section('A remap to a huge page where the page never was '
                     f'({machine})', mean(FRESH_REMAP, FRESH, FRESH),
                     done.symbols),
        page.section(f'All RAM touched after that ({machine})',
                     mean(FRESH_TOUCH, FRESH, FRESH), done.symbols)]
    return page.functions(remap, done.symbols), sections


if __name__ == '__main__':
    options.run(main)
