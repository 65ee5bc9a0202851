# SPDX-License-Identifier: GPL-2.0-or-later
"""./test: build what is missing, run the tests, say what came out."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from builder import child, emulator, junit, options, own_project, packages
from builder.paths import OWN_BUILD, ROOT
from builder.say import UserError, step

DESCRIPTION = '''Builds what is missing and runs the tests.

  ./test                      all of them
  ./test unit                 those that need no machine (seconds)
  ./test functional           those that start machines
  ./test functional NAME...   some of these: test_remap, remap, ...
  ./test functional --kernel all      all of them on every kernel
  ./test functional --remap-method memslot    with the page moved that way

What needs KVM with Xen support runs natively where the machine has it, else
in the nested host (tests/nested/README.md); XEN_OVERLAY_HOST=native|nested
overrides the choice.  All functional tests run on the kernel mainline; those
that depend on what KVM can do once more on default-slot.  --kernel and NAME
override this.'''

SUITES = ('unit', 'functional')
MAINLINE = 'mainline'


@dataclass(frozen=True)
class Run:
    """One run of meson test."""
    suite: str
    # meson's name of the suite, and the nested host's kernel.
    tests: str
    kernel: str | None = None
    # Some of it only.
    names: tuple[str, ...] = ()
    # How machines that do not say so themselves move shared_info.
    remap_method: str | None = None

    @property
    def log(self) -> str:
        """For --logbase; tests/kernel/matrix knows it."""
        kernel = Path(self.kernel).name if self.kernel else None
        return '-'.join(filter(None, (
            f'{self.suite}-tests', kernel, self.remap_method))) + ''.join(
                f'+{name}' for name in self.names)

    @property
    def environment(self) -> dict[str, str]:
        """What the tests are told by (docs/testing.md)."""
        told = dict(os.environ)
        if self.kernel:
            told |= {'XEN_OVERLAY_KERNEL': self.kernel,
                     'XEN_OVERLAY_HOST': 'nested'}
        if self.remap_method:
            told['XEN_OVERLAY_REMAP_METHOD'] = self.remap_method
        return told


@dataclass
class Totals:
    """What the tests came to."""
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def read(self, report: Path, kernel: str | None) -> None:
        """Add up a JUnit report."""
        where = f'{kernel}: ' if kernel else ''
        for case in junit.read(report):
            name = f'{where}{case.suite}: {case.name}'
            if case.outcome == 'failed':
                self.failed.append(name)
            elif case.outcome == 'skipped':
                self.skipped.append((name, case.reason))
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
    parser.add_argument('--kernel', action='append', default=[],
                        metavar='NAME', help='run the functional tests in '
                        'the nested host on this kernel (tests/nested/'
                        'README.md); "all": on each of them')
    parser.add_argument('--remap-method', choices=('memslot',),
                        help='how shared_info is moved where a test does not '
                        'say so itself (default: as the device chooses)')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1,
                        help='how many at the same time (default: %(default)s'
                        ', one per CPU)')
    options.add_build_options(parser)
    arguments = parser.parse_args()
    if arguments.names and arguments.suite != 'functional':
        parser.error('names go with "functional"')
    if ((arguments.kernel or arguments.remap_method) and
            arguments.suite != 'functional'):
        parser.error('--kernel and --remap-method go with "functional"')
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
    totals = Totals()
    runs = [Run('unit', 'unit')] if 'unit' in suites else []
    if 'functional' in suites:
        if not arguments.names or any('stock' in name
                                      for name in arguments.names):
            emulator.build_migratable_stock(arguments.with_qemu_source,
                                            arguments.configure)
        sys.path.insert(0, str(ROOT / 'tests'))
        import linux_guest      # needs the packages installed above
        linux_guest.prepare()
        linux_guest.prepare_kexec()
        runs += functional_runs(arguments, totals)
    for run in runs:
        run_suite(run, arguments, totals)
    return report(totals)


def functional_runs(arguments: argparse.Namespace,
                    totals: Totals) -> list[Run]:
    """On which kernels; they are made now, where progress is seen and
    nothing else installs packages."""
    from nested import kernel, linux, xen_kvm

    wanted = arguments.kernel
    if not wanted and os.environ.get(kernel.VARIABLE):
        wanted = [os.environ[kernel.VARIABLE]]
    names, method = tuple(arguments.names), arguments.remap_method
    # What no kernel makes a difference to is run with one of them.
    runs = [Run('functional', 'functional' if name == MAINLINE else 'kvm',
                name, names, method) for name in
            (kernel.NAMES if 'all' in wanted else wanted)]
    if not wanted:
        # The machine's own KVM, where there is one.
        own = None if xen_kvm.choose().native else MAINLINE
        runs = [Run('functional', 'functional', own, names, method)]
        if not names:
            runs.append(Run('functional', 'every-kernel', 'default-slot',
                            remap_method=method))
    ready = []
    for run in runs:
        try:
            if run.kernel:
                kernel.find_kernel(run.kernel)
            if run.kernel in kernel.NAMES:
                linux.selftests(run.kernel)
            ready.append(run)
        except (kernel.NestedError, UserError) as error:
            # Not every mirror has every suite.
            if 'all' not in wanted:
                raise UserError(f'kernel {run.kernel}: {error}') from error
            totals.skipped.append((f'kernel {run.kernel}', str(error)))
    return ready


def run_suite(run: Run, arguments: argparse.Namespace,
              totals: Totals) -> None:
    """Run a suite, adding to `totals`."""
    where = f' on {run.kernel}' if run.kernel else ''
    step(f'running the {run.suite} tests{where}')
    command = ['/usr/bin/meson', 'test', '-C', str(OWN_BUILD), '--no-rebuild',
               '--suite', run.tests, '--logbase', run.log,
               '--num-processes', str(arguments.jobs), '--print-errorlogs']
    command += [f'*{name.removesuffix(".py").removeprefix("test_")}*'
                for name in run.names]
    log = OWN_BUILD / 'meson-logs' / f'{run.log}.junit.xml'
    log.unlink(missing_ok=True)
    status = child.run(command, env=run.environment)
    if not status and not log.exists():
        missed = ', '.join(run.names) or 'anything'
        print(f'no {run.suite} test is called {missed}', file=sys.stderr)
        return
    failed = len(totals.failed)
    if log.exists():
        totals.read(log, run.kernel)
    # meson itself, or a test program after all its tests were fine.
    if status and len(totals.failed) == failed:
        totals.failed.append(f'{run.log}: see above (status {status})')


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
