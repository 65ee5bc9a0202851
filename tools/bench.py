# SPDX-License-Identifier: GPL-2.0-or-later
"""./bench: build both emulators, measure them in turn, show the figures."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmark import bed, page, plot, table
from benchmark.job import Job, groups
from benchmark.part import Part
from benchmark.parts import PARTS
from benchmark.record import Record
from benchmark.results import Results, read, write
from benchmark.variant import XEN, Variant, variants
from builder import emulator, options, own_project, packages
from builder.paths import BUILD, EMULATOR, ROOT, STOCK_EMULATOR
from builder.say import UserError, step

DESCRIPTION = '''Measures our emulator beside the stock one, in instructions.

  ./bench                 all parts
  ./bench PART...         some of them
  ./bench --quick         fewer machines, each once: to see whether it works

Both are built from the same source, and run in turn in the same nested host,
whose clock counts instructions.  Tables go to stdout; tables, plots and
results for programs go to docs/benchmarks (--quick: build/benchmarks).
docs/benchmarks/README.md says what the figures can tell.

parts:
'''
PUBLISHED = ROOT / 'docs/benchmarks'
SCRATCH = BUILD / 'benchmarks'


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='./bench',
        description=DESCRIPTION + '\n'.join(
            f'  {part.name:12} {part.title}' for part in PARTS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('parts', nargs='*', metavar='PART',
                        help='parts to run (default: all)')
    parser.add_argument('--quick', action='store_true',
                        help='fewer machines, each once')
    parser.add_argument('--repeats', type=int, metavar='N',
                        help='how often each is measured (default: 2), but '
                        'for what takes long')
    parser.add_argument('--missing', action='store_true',
                        help='only machines of which there are no results, '
                        'or of fewer runs than --repeats asks for')
    parser.add_argument('--machine', default='', metavar='TEXT',
                        help='only machines whose name, or a word in it, '
                        "begins so: '4 vCPUs', '8192 MiB'")
    parser.add_argument('--tables', action='store_true',
                        help='measure nothing: tables and plots anew from '
                        'the results')
    parser.add_argument('--output', type=Path, metavar='DIR',
                        help='where results go')
    options.add_build_options(parser)
    arguments = parser.parse_args()
    for name in arguments.parts:
        if name not in PARTS:
            parser.error(f'no part is called {name}; there are: '
                         f'{", ".join(PARTS)}')
    if arguments.repeats is None:
        arguments.repeats = 1 if arguments.quick else 2
    if arguments.repeats < 1:
        parser.error('--repeats: at least 1')
    if arguments.output is None:
        arguments.output = SCRATCH if arguments.quick else PUBLISHED
    return arguments


def main() -> int:
    arguments = parse()
    emulator.check_place()
    packages.ensure(packages.BUILDING + packages.FIRMWARE + packages.RUNNING +
                    packages.TESTING + packages.PLOTTING)
    emulator.build(arguments.with_qemu_source, arguments.configure)
    emulator.build_stock(arguments.with_qemu_source, arguments.configure)
    own_project.build_guests()
    sys.path.insert(0, str(ROOT / 'tests'))
    compared = variants(EMULATOR, STOCK_EMULATOR)
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / 'results.json'
    everything = read(file)
    names = arguments.parts or list(PARTS)
    failures: list[str] = []
    if not arguments.tables:
        jobs = [job for name in names for job in plan(
            PARTS[name], everything.get(name, Results(name)), compared,
            arguments)]
        if not jobs and arguments.machine and not arguments.missing:
            raise UserError(f'--machine: none has {arguments.machine!r} in '
                            'its name that is to be measured')
        record = Record(everything, file, about(), jobs)
        done = 0
        for group in groups(jobs):
            measure(group, record, f'{done + 1} to {done + len(group)} of '
                    f'{len(jobs)}' if len(group) > 1 else
                    f'{done + 1} of {len(jobs)}')
            done += len(group)
        failures = record.failures
        if not arguments.machine:
            for name in set(names) & set(everything):
                forget(PARTS[name], everything[name], arguments)
            write(file, everything)
    for name in names:
        if name in everything and everything[name].runs:
            publish(PARTS[name], everything, arguments.output)
    if failures:
        raise UserError('what failed has the results it had before; a part '
                        'by name, and --machine, measure it again:\n' +
                        '\n'.join(failures))
    return 0


def plan(part: Part, results: Results, compared: list[Variant],
         arguments: argparse.Namespace) -> list[Job]:
    """What is to be measured of a part."""
    jobs = []
    for configuration in part.configurations(arguments.quick):
        variants_of_part = [
            (variant, repeats) for variant in compared
            if variant.name in part.variants and
            (repeats := part.repeats(configuration, variant.name,
                                     arguments.repeats))]
        if arguments.missing and all(
                results.count(configuration, variant.name) >= repeats
                for variant, repeats in variants_of_part):
            continue
        # From the beginning of a word: 4 vCPUs are not 64.
        if f' {arguments.machine}' not in f' {table.machine(configuration)}':
            continue
        jobs.append(Job(part, configuration, variants_of_part))
    return jobs


def forget(part: Part, results: Results,
           arguments: argparse.Namespace) -> None:
    """What the part does not measure any more.  What was measured on Xen
    stays, since few machines say all there is."""
    machines = part.configurations(arguments.quick)
    results.keep(lambda configuration, variant: configuration in machines and (
        variant == XEN or variant in part.variants and
        part.repeats(configuration, variant, arguments.repeats) > 0))


def measure(jobs: list[Job], record: Record, number: str) -> None:
    """Measure what shares a nested host."""
    step(f'machines {number}: ' + '; '.join(
        f'{job.part.name}, {table.machine(job.configuration)}'
        for job in jobs))
    try:
        bed.run(jobs, record.take)
    except UserError as error:
        record.give_up_rest(jobs, str(error))
    for job in jobs:
        try:
            samples = job.part.on_xen(job.configuration)
        except UserError as error:
            record.other_failed(job, f'{XEN}: {error}')
            continue
        if samples is not None:
            record.take_other(job, XEN, samples)


def publish(part: Part, everything: dict[str, Results],
            folder: Path) -> None:
    """Write tables and plots beside the results."""
    results = everything[part.name]
    print(f'\n## {part.title}\n\n{table.tables(part, results)}', flush=True)
    if plot.drawable(part, results):
        plot.draw(part, results, folder)
    page.update(folder / 'README.md', page.page(PARTS, everything))
    step(f'{part.name}: results are in {folder}')


def about() -> dict[str, str]:
    """What results were made with."""
    from nested.kernel import find_kernel

    def first_line(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]

    git = ('git', '-C', str(ROOT))
    commit = first_line(*git, 'describe', '--always')
    # What this writes itself is no other source.
    if subprocess.run([*git, 'diff', '--quiet', 'HEAD', '--', '.',
                       f':!{PUBLISHED.relative_to(ROOT)}'],
                      check=False).returncode:
        commit += '-dirty'
    return {
        'measured by': f'./bench at {commit}',
        'emulator': first_line(str(EMULATOR), '--version'),
        'host': f'nested host, {find_kernel().vmlinuz.name}',
    }


if __name__ == '__main__':
    options.run(main)
