# SPDX-License-Identifier: GPL-2.0-or-later
"""All items on one subject, though an item may be the end of it."""

from collections.abc import Callable
from dataclasses import dataclass

from conformance.results import has_verdict, line, parse
from nested.errors import NestedError


@dataclass(frozen=True)
class Run:
    """What the guest said, and how its machine ended."""
    text: str
    end: str


def all_items(run: Callable[[str], Run], append: str,
              text: str = '') -> str:
    """The guest's text.  Where it dies of an item, it is started again
    without those it is through with, until it gets to its end.

    text: lines of items that are judged beforehand."""
    while True:
        judged = parse(text).items
        skip = ','.join(map(str, sorted(judged)))
        words = append.split() + ([f'skip={skip}'] if skip else [])
        done = run(' '.join(words))
        text += done.text
        if has_verdict(done.text):
            return text
        culprit = parse(done.text).open_item
        if culprit is None:
            raise NestedError('the guest ended, but not in an item: '
                              f'{done.end}.  It said:\n{done.text}')
        text += line(culprit, 'DIED', done.end)
