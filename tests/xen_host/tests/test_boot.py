# SPDX-License-Identifier: GPL-2.0-or-later
"""Real boots of Xen, each some ten seconds."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from nested.paths import EMULATOR
from xen_host.console import LONGEST_PIECE
from xen_host.host import XenHost
from xen_host.tests.tiny_guest import (CPUID, FOR_EVER, HALT, TRIPLE_FAULT,
                                       elf, say, say_whether_vcpu_exists,
                                       turn_paging_on)

PASS = say('VERDICT: PASS tiny: x\n')


@unittest.skipUnless(EMULATOR.exists(), f'{EMULATOR} is not built')
class BootTest(unittest.TestCase):
    """run() keeps what it promises."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.guest = Path(scratch.name) / 'guest.elf'
        self.said = ''
        self.errors = ''

    def run_guest(self, code: bytes, vcpus: int = 1,
                  time_limit: float = 300) -> int:
        """The status; what was said is kept."""
        self.guest.write_bytes(elf(code))
        out = io.BytesIO()
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            status = XenHost(vcpus=vcpus, memory_mib=16,
                             time_limit=time_limit).run(self.guest,
                                                        stdout=out)
        self.said = out.getvalue().decode()
        self.errors = errors.getvalue()
        return status

    def test_text_and_vcpus(self) -> None:
        # All in one boot: lines around the length where Xen cuts, and the
        # fourth vCPU but no fifth.
        lines = [str(length) + '.' * length
                 for length in range(LONGEST_PIECE - 5, LONGEST_PIECE + 3)]
        text = '\n'.join(lines) + '\n'
        status = self.run_guest(
            say(text) + say_whether_vcpu_exists(3)
            + say_whether_vcpu_exists(4) + say('\n') + PASS + HALT, vcpus=4)
        self.assertEqual(0, status, self.errors)
        self.assertEqual(text + 'A?\nVERDICT: PASS tiny: x\n', self.said)

    def test_pae(self) -> None:
        # Xen does not get behind a CPUID of a guest in this mode unless it
        # shadows the guest's page tables.
        status = self.run_guest(
            turn_paging_on() + say('paged\n') + CPUID + say('CPUID\n')
            + say_whether_vcpu_exists(1) + say('\n') + PASS + HALT)
        self.assertEqual(0, status, self.errors)
        self.assertEqual('paged\nCPUID\n?\nVERDICT: PASS tiny: x\n',
                         self.said)

    def test_crash(self) -> None:
        self.assertEqual(134, self.run_guest(PASS + TRIPLE_FAULT))
        self.assertIn('triple fault', self.errors)
        # Xen's own words are in the log, and its end is shown.
        self.assertIn('(XEN) d1v0 Triple fault', self.errors)

    def test_time_limit(self) -> None:
        self.assertEqual(124, self.run_guest(say('here\n') + FOR_EVER,
                                             time_limit=60))
        self.assertEqual('here\n', self.said)
        self.assertIn('time limit of 60 s', self.errors)

    def test_what_xl_refuses(self) -> None:
        # Its code lies where a PVH guest of 16 MiB has no memory.
        self.assertEqual(125, self.run_guest(bytes(20 << 20)))
        self.assertIn('did not run to an end', self.errors)
        self.assertIn('dom0 init: xl failed', self.errors)


if __name__ == '__main__':
    unittest.main()
