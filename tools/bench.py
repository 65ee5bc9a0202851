# SPDX-License-Identifier: GPL-2.0-or-later
"""./bench: build both emulators, measure them in turn, show the figures."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmark import bed, table
from benchmark.part import Part
from benchmark.parts import PARTS
from benchmark.results import Results
from benchmark.variant import Variant, variants
from builder import emulator, options, own_project, packages
from builder.paths import BUILD, EMULATOR, ROOT, STOCK_EMULATOR
from builder.say import note, step

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
                        help='how often each is measured (default: 3)')
    parser.add_argument('--output', type=Path, metavar='DIR',
                        help='where results go')
    options.add_build_options(parser)
    arguments = parser.parse_args()
    for name in arguments.parts:
        if name not in PARTS:
            parser.error(f'no part is called {name}; there are: '
                         f'{", ".join(PARTS)}')
    if arguments.repeats is None:
        arguments.repeats = 1 if arguments.quick else 3
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
    own_project.build()
    sys.path.insert(0, str(ROOT / 'tests'))
    compared = variants(EMULATOR, STOCK_EMULATOR)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.parts or PARTS:
        measure(PARTS[name], compared, arguments)
    return 0


def measure(part: Part, compared: list[Variant],
            arguments: argparse.Namespace) -> None:
    """Measure a part, and write what came out."""
    results = Results(part.name, about())
    configurations = part.configurations(arguments.quick)
    for number, configuration in enumerate(configurations, start=1):
        step(f'{part.name}: {table.machine(configuration)} '
             f'({number} of {len(configurations)})')
        started = time.monotonic()

        def take(result: bed.Result) -> None:
            run = results.add(configuration, result['variant'],
                              result['repeat'], result['samples'])
            first = part.measures[0]
            note(f'{run.variant}, {run.repeat + 1} of {arguments.repeats}: '
                 f'{first.title}: {table.number(run.values[first.key])} '
                 f'{first.unit} ({time.monotonic() - started:.0f} s)')

        bed.run(part, configuration, compared, arguments.repeats, take)
        # After each machine: what is measured is not lost.
        results.write(arguments.output / f'{part.name}.json')
    text = table.tables(part, results)
    print(f'\n## {part.title}\n\n{text}', flush=True)
    publish(part, results, text, arguments.output)


def publish(part: Part, results: Results, text: str, folder: Path) -> None:
    """Write tables and plots beside the results."""
    from benchmark import plot      # needs matplotlib, installed by now

    made_with = '\n'.join(f'- {key}: {value}'
                          for key, value in results.about.items())
    lines = [f'# {part.title}\n\n{made_with}\n']
    if part.plots:
        plot.draw(part, results, folder)
        lines.append(f'![{part.title}]({part.name}.svg)\n')
    (folder / f'{part.name}.md').write_text('\n'.join([*lines, text]))
    step(f'{part.name}: results are in {folder}')


def about() -> dict[str, str]:
    """What results were made with."""
    from nested.kernel import find_kernel

    def first_line(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]

    commit = first_line('git', '-C', str(ROOT), 'describe', '--always',
                        '--dirty')
    return {
        'measured by': f'./bench at {commit}',
        'emulator': first_line(str(EMULATOR), '--version'),
        'host': f'nested host, {find_kernel().vmlinuz.name}',
    }


if __name__ == '__main__':
    options.run(main)
