# SPDX-License-Identifier: GPL-2.0-or-later
"""./test: build what is missing, run the tests, say what came out."""

from __future__ import annotations

import argparse
import os
import sys
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from builder import child, emulator, options, own_project, packages
from builder.paths import OWN_BUILD, ROOT
from builder.say import step

DESCRIPTION = '''Builds what is missing and runs the tests.

  ./test                      all of them
  ./test unit                 those that need no machine (seconds)
  ./test functional           those that start machines
  ./test functional NAME...   some of these: test_remap, remap, ...

What needs KVM with Xen support runs natively where the machine has it, else
in the nested host (tests/nested/README.md); XEN_OVERLAY_HOST=native|nested
overrides the choice.'''

SUITES = ('unit', 'functional')


@dataclass
class Totals:
    """What the tests came to."""
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def read(self, report: Path) -> None:
        """Add up a JUnit report."""
        for case in xml.etree.ElementTree.parse(report).iter('testcase'):
            name = f'{case.get("classname")}: {case.get("name")}'
            skipped = case.find('skipped')
            if case.find('failure') is not None or \
                    case.find('error') is not None:
                self.failed.append(name)
            elif skipped is not None:
                reason = skipped.get('message') or skipped.text or ''
                self.skipped.append((name, reason.strip()))
            else:
                self.passed += 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='./test', description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('suite', nargs='?', choices=SUITES,
                        help='a part of the tests (default: all)')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='functional tests by name')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1,
                        help='how many at the same time (default: %(default)s'
                        ', one per CPU)')
    options.add_build_options(parser)
    arguments = parser.parse_args()
    if arguments.names and arguments.suite != 'functional':
        parser.error('names go with "functional"')
    if arguments.jobs < 1:
        parser.error('--jobs: at least 1')
    return arguments


def main() -> int:
    arguments = parse()
    emulator.check_place()
    suites = [arguments.suite] if arguments.suite else list(SUITES)
    packages.ensure(packages.BUILDING + packages.FIRMWARE +
                    packages.RUNNING + packages.TESTING)
    emulator.build(arguments.with_qemu_source, arguments.configure)
    own_project.build()
    if 'functional' in suites:
        sys.path.insert(0, str(ROOT / 'tests'))
        import linux_guest      # needs the packages installed above
        linux_guest.prepare()
    totals = Totals()
    for suite in suites:
        run_suite(suite, arguments, totals)
    return report(totals)


def run_suite(suite: str, arguments: argparse.Namespace,
              totals: Totals) -> None:
    """Run a suite, adding to `totals`."""
    step(f'running the {suite} tests')
    command = ['/usr/bin/meson', 'test', '-C', str(OWN_BUILD), '--no-rebuild',
               '--suite', suite, '--logbase', f'{suite}-tests',
               '--num-processes', str(arguments.jobs), '--print-errorlogs']
    command += [f'*{name.removesuffix(".py").removeprefix("test_")}*'
                for name in arguments.names]
    log = OWN_BUILD / 'meson-logs' / f'{suite}-tests.junit.xml'
    log.unlink(missing_ok=True)
    status = child.run(command)
    if not status and not log.exists():
        missed = ', '.join(arguments.names) or 'anything'
        print(f'no {suite} test is called {missed}', file=sys.stderr)
        return
    failed = len(totals.failed)
    if log.exists():
        totals.read(log)
    # meson itself, or a test program after all its tests were fine.
    if status and len(totals.failed) == failed:
        totals.failed.append(f'{suite}: see above (status {status})')


def report(totals: Totals) -> int:
    """Print the totals, the closing line last; returns the exit status."""
    print()
    for name, reason in totals.skipped:
        print(f'skipped: {name}: {reason or "no reason given"}')
    for name in totals.failed:
        print(f'failed: {name}')
    count = totals.passed + len(totals.failed)
    if not count:
        print('no test ran', file=sys.stderr, flush=True)
    print(f'{totals.passed} passed, {len(totals.failed)} failed, '
          f'{len(totals.skipped)} skipped', flush=True)
    return 0 if count and not totals.failed else 1


if __name__ == '__main__':
    options.run(main)
