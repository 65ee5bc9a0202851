# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/profile: where instructions go, by function."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from builder import emulator, options, own_project, packages
from builder.paths import EMULATOR, QEMU_SOURCE, ROOT, STOCK_EMULATOR
from builder.say import UserError, step

if TYPE_CHECKING:
    from profiler.symbols import Function

    Functions = dict[Function, float]

DESCRIPTION = '''Counts the instructions of remaps, and of registrations of a
vcpu_info for another vCPU, by address, and names what they are in: the host's
kernel, the emulator, the guest.

The emulator below the nested host counts (tools/profiler/plugin/count.c); a
stock QEMU with support for plugins is built for that.  Tables go to stdout,
and to docs/benchmarks/profile.md where --update is given.'''
PAGE = ROOT / 'docs/benchmarks/profile.md'
HEAD = '''# Where the instructions go

Written by `tools/profile --update`, at {commit}; [README](README.md) says what
it shows. Each figure is of one operation, the mean of some: a function's
without what it calls, by the virtual address of each block of instructions
that the nested host executed. Names of static functions of libraries are those
of the exported function before them. vCPUs that halt do not poll
(`kvm.halt_poll_ns=0`).

'''
LOOPS = 40
FRESH = 3

REGISTRATION_VCPUS = 16
REGISTRATION_MIB = 128

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
    """The emulators, the guests, and the plugin."""
    from profiler.case import PLUGIN

    emulator.check_place()
    packages.ensure(packages.BUILDING + packages.FIRMWARE + packages.RUNNING +
                    packages.TESTING)
    emulator.build(arguments.with_qemu_source, arguments.configure)
    emulator.build_stock(arguments.with_qemu_source, arguments.configure)
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
    text = HEAD.format(commit=subprocess.run(
        ['git', '-C', str(ROOT), 'describe', '--always', '--dirty'],
        capture_output=True, text=True, check=True).stdout.strip())
    text += '\n'.join(remaps() + registrations())
    print(text)
    if arguments.update:
        PAGE.write_text(text)
    return 0


def remaps() -> list[str]:
    """What there is to say of them."""
    from profiler import page

    few, sections = remap(4)
    many, _ = remap(64)
    return sections + [page.difference(
        'What a remap with 64 vCPUs takes more than with 4', few, many)]


def remap(vcpus: int) -> tuple[Functions, list[str]]:
    """The functions of a remap with so many vCPUs, and all tables."""
    from profiler import counts, page
    from profiler.case import Case, run

    step(f'profiling remaps with {vcpus} vCPUs')
    done = run(Case('remap_cost', f'loops={LOOPS} after={FRESH}', vcpus, 512,
                    'errrrtf'))

    def mean(number: int, operations: int, last: int) -> counts.Window:
        found = [window for window in done.windows if window.number == number]
        return counts.mean(found[-last:], operations)

    # The last time: before, caches of the kernel's are filled, and QEMU frees
    # what it no longer needed when the machine was up.
    one = mean(REMAPS, LOOPS, 1)
    machine = f'{vcpus} vCPUs, 512 MiB'
    sections = [
        page.section(f'A remap ({machine})', one, done.symbols),
        page.section(f'An empty exit ({machine})', mean(EXITS, LOOPS, 1),
                     done.symbols),
        page.section('A remap to a huge page where the page never was '
                     f'({machine})', mean(FRESH_REMAP, FRESH, FRESH),
                     done.symbols),
        page.section(f'All RAM touched after that ({machine})',
                     mean(FRESH_TOUCH, FRESH, FRESH), done.symbols)]
    return page.functions(one, done.symbols), sections


def registrations() -> list[str]:
    """What there is to say of them, of stock QEMU's and of ours."""
    from profiler import page

    stock, section = registration('stock', STOCK_EMULATOR)
    ours, own_section = registration('ours', EMULATOR)
    return [section, own_section, page.difference(
        'What ours takes more than stock for a registration for another vCPU',
        stock, ours)]


def registration(name: str, by: Path) -> tuple[Functions, str]:
    """The functions of one, and all tables."""
    from profiler import counts, page
    from profiler.case import Case, run

    step(f'profiling registrations: {name}')
    done = run(Case('event_cost', f'cpus={REGISTRATION_VCPUS}',
                    REGISTRATION_VCPUS, REGISTRATION_MIB, 'cv', by))
    # All are awake once before (tools/benchmark/registration.py).  The first
    # window is that of vCPU 0's own.
    of_others = done.windows[1:]
    one = counts.mean(of_others, len(of_others))
    return page.functions(one, done.symbols), page.section(
        f'A registration for another vCPU, {name} ({REGISTRATION_VCPUS} '
        f'vCPUs, {REGISTRATION_MIB} MiB)', one, done.symbols)


if __name__ == '__main__':
    options.run(main)
