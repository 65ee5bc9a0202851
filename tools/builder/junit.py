# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of `meson test` came to, from its JUnit report."""

from __future__ import annotations

import re
import xml.etree.ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# TAP's line on a test that was skipped: "ok 2 a_test # SKIP no KVM".
SKIP = re.compile(r'^ok (\d+)\b.*# SKIP (.*)$', re.M | re.I)


@dataclass(frozen=True)
class Case:
    """One test: outcome is "passed", "failed" or "skipped"."""
    suite: str
    name: str
    outcome: str
    reason: str = ''


def read(report: Path) -> Iterator[Case]:
    """The tests of a report."""
    for suite in xml.etree.ElementTree.parse(report).iter('testsuite'):
        # meson keeps TAP's reason for a skip out of the report, but the
        # test's output is in it.
        said = dict(SKIP.findall(suite.findtext('system-out') or ''))
        for case in suite.iter('testcase'):
            name = case.get('name', '')
            skipped = case.find('skipped')
            if case.find('failure') is not None or \
                    case.find('error') is not None:
                outcome, reason = 'failed', ''
            elif skipped is not None:
                outcome = 'skipped'
                reason = skipped.get('message') or skipped.text or \
                    said.get(name.partition(' ')[0], '')
            else:
                outcome, reason = 'passed', ''
            yield Case(case.get('classname', ''), name, outcome,
                       reason.strip())
