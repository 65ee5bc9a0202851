# SPDX-License-Identifier: GPL-2.0-or-later
"""What the conformance guest says of each item.

    C-07 START the old place is left
    C-07 FAIL got=0x1 want=0x0: the mark at A
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# The guest's words, and DIED, which is ours: the guest cannot say it.
OUTCOMES = ('PASS', 'FAIL', 'SKIP', 'KNOWN', 'DIED')
BAD = ('FAIL', 'DIED')

_LINE = re.compile(r'^C-(\d+) (START|' + '|'.join(OUTCOMES)
                   + r')(?: (.*))?$', re.M)


@dataclass(frozen=True)
class Result:
    """An item's outcome."""
    outcome: str
    details: str = ''


@dataclass(frozen=True)
class Results:
    """What a text has, by the items' numbers."""
    titles: Mapping[int, str]
    items: Mapping[int, Result]
    # Begun and not judged: what the guest died of, if it died.
    open_item: int | None


def parse(text: str) -> Results:
    """Read a guest's text, or several that follow one another.

    Where an item was judged more than once, the worst counts."""
    titles: dict[int, str] = {}
    items: dict[int, Result] = {}
    open_item = None
    for number, word, rest in _LINE.findall(text.replace('\r', '')):
        item = int(number)
        if word == 'START':
            titles[item] = rest
            open_item = item
            continue
        if item not in items or items[item].outcome not in BAD:
            items[item] = Result(word, rest)
        if open_item == item:
            open_item = None
    return Results(titles, items, open_item)


def has_verdict(text: str) -> bool:
    """Whether the guest got to its end."""
    return re.search(r'^VERDICT: \w+ ', text, re.M) is not None


def line(item: int, outcome: str, details: str) -> str:
    """A line such as the guest's, where it cannot write it."""
    return f'\nC-{item:02} {outcome} {details}\n'
