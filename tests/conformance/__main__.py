# SPDX-License-Identifier: GPL-2.0-or-later
"""The command-line tool conformance-table."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from conformance.campaign import all_items
from conformance.results import BAD, parse
from conformance.subjects import SUBJECTS, Subject
from conformance.table import WIDTHS, Column, render
from nested.errors import NestedError
from nested.layer import say
from nested.paths import BUILD, ROOT

PAGE = ROOT / 'docs/conformance.md'
SAID = BUILD / 'conformance'
GUESTS = BUILD / 'xen-overlay/tests/guest'
FILES = {'64': 'conformance.elf', '32': 'conformance32.elf'}
COMMAND = 'tests/conformance/conformance-table'

DESCRIPTION = '''
Build what is missing, run the conformance guest (tests/guest/conformance) on
each subject, 64-bit and 32-bit, and write the table of what it found.  Where
the guest or its VMM dies of an item, that is the item's outcome, and the
others are run without it.
'''

EPILOG = f'''
subjects: {", ".join(subject.name for subject in SUBJECTS)}
What the guest said is kept in build/conformance; --again SUBJECT runs just that
one and takes the others from there.

exit status: 0 if the table is written and nothing failed on Xen or on ours
(on stock QEMU it may); 1 if something did; 125 if a test bed failed.
'''


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog='conformance-table', description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--vcpus', type=int, default=34, metavar='N',
                        help="the guest's vCPUs (default: 34, the fewest "
                        'with which every item can be checked)')
    parser.add_argument('--append', default='', metavar='TEXT',
                        help="options of the guest's, such as loops=5000")
    parser.add_argument('--time-limit', type=float, default=1800,
                        metavar='S', help='seconds for one run of the guest '
                        '(default: 1800)')
    parser.add_argument('--again', action='append', default=[],
                        metavar='SUBJECT',
                        choices=[subject.name for subject in SUBJECTS],
                        help='run only this one (may be given several '
                        'times); the rest as it was the last time')
    parser.add_argument('--output', type=Path, default=PAGE, metavar='FILE',
                        help=f'where to write the table (default: {PAGE})')
    return parser.parse_args(arguments)


def text_of(subject: Subject, width: str,
            options: argparse.Namespace) -> str | None:
    """What the guest says on the subject, now or the last time."""
    kept = SAID / f'{subject.name}-{width}.txt'
    if options.again and subject.name not in options.again:
        return kept.read_text() if kept.exists() else None
    guest = GUESTS / FILES[width]
    say(f'{subject.title}, {width}-bit guest ...')
    started = time.monotonic()
    text = all_items(lambda append: subject.run(
        guest, append, options.vcpus, options.time_limit), options.append,
        subject.beforehand())
    say(f'{subject.title}, {width}-bit guest: '
        f'{time.monotonic() - started:.0f} s')
    SAID.mkdir(parents=True, exist_ok=True)
    kept.write_text(text)
    return text


def build() -> None:
    """Build both emulators and the guests, as ./test and ./bench do."""
    sys.path.insert(0, str(ROOT / 'tools'))
    # Late, so that the rest can be tested without.
    from builder import emulator, own_project
    from builder.say import UserError

    try:
        emulator.check_place()
        emulator.build()
        emulator.build_stock()
        own_project.build()
    except UserError as error:
        raise NestedError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    options = parse_arguments(arguments)
    columns = []
    bad = []
    try:
        build()
        for subject in SUBJECTS:
            texts = {width: text_of(subject, width, options)
                     for width in WIDTHS}
            results = {width: parse(text) for width, text in texts.items()
                       if text is not None}
            columns.append(Column(subject.title, results))
            bad += [f'{subject.title}, {width}-bit: C-{item:02}'
                    for width, found in results.items()
                    for item, result in sorted(found.items.items())
                    if subject.must_pass and result.outcome in BAD]
    except (NestedError, OSError) as error:
        say(f'error: {error}')
        return 125
    except KeyboardInterrupt:
        return 130
    how = ' '.join([COMMAND, f'--vcpus {options.vcpus}'] + (
        [f'--append "{options.append}"'] if options.append else []))
    options.output.write_text(render(columns, how))
    say(f'written: {options.output}')
    for line in bad:
        say(f'not as on Xen: {line}')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
