#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bare-metal guests on Xen itself.

A guest that says what Xen would do is only worth something if Xen does it.
"""

import io
import re

from overlay_test import OverlayTest, main
from overlay_test.environment import GUESTS
from conformance.results import parse
from conformance.subjects import SOFT_RESETS
from xen_host.host import XenHost

REMAPS = 100


class RealXen(OverlayTest):
    """Each test boots Xen in an emulated machine of its own."""

    needs_xen_kvm = False

    def run_guest(self, guest: str, append: str, vcpus: int = 1) -> str:
        """Run a guest of tests/guest, which must pass; what it said."""
        host = XenHost(vcpus=vcpus)
        said = io.BytesIO()
        status = host.run(GUESTS / f'{guest}.elf', append, stdout=said)
        text = said.getvalue().decode(errors='replace')
        self.assertEqual(0, status, f'the guest said:\n{text}\n'
                         f'all that was said: {host.log}')
        return text

    def test_remap(self) -> None:
        """Xen moves the page, and leaves a hole where it was."""
        text = self.run_guest('remap', f'loops={REMAPS}')
        verdict = re.search(r'^VERDICT: PASS remap: (.*)$', text, re.M)
        assert verdict
        self.assertEqual(f'{REMAPS} remaps, left behind: 0 times RAM, '
                         f'{REMAPS} times a hole', verdict.group(1))
        self.assertIn(f'DONE loops={REMAPS}\n', text)
        self.assertRegex(text, r'\nXen 4\.\d+, leaves at ')

    def conformance(self, guest: str) -> None:
        """Every item that can be tried on it, on enough vCPUs for all."""
        skip = ','.join(map(str, SOFT_RESETS))
        text = self.run_guest(guest, f'skip={skip}', vcpus=34)
        items = parse(text).items
        outcomes = [result.outcome for result in items.values()]
        self.assertEqual([], [number for number, result in items.items()
                              if result.outcome not in ('PASS', 'SKIP')])
        print(f'{guest}: {outcomes.count("PASS")} passed, '
              f'{outcomes.count("SKIP")} skipped')
        self.assertGreater(outcomes.count('PASS'), 30)

    def test_conformance(self) -> None:
        """Xen is what the checklist says it is."""
        self.conformance('conformance')

    def test_conformance32(self) -> None:
        """And for a 32-bit guest."""
        self.conformance('conformance32')


if __name__ == '__main__':
    main()
