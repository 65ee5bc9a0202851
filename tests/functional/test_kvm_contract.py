#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM is what the unit tests' fake of it claims.

The same test body runs against the fake in the unit tests and against the
real KVM here (tests/unit/kvm_contract_test.cpp).
"""

import re
import subprocess

from overlay_test import OverlayTest, main
from overlay_test.environment import KVM_CONTRACT_TEST


class KvmContract(OverlayTest):
    """The real half."""

    def test_real_kvm(self) -> None:
        done = subprocess.run(
            [str(KVM_CONTRACT_TEST), '--gtest_filter=*Real*'],
            capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertNotIn('SKIPPED', done.stdout)
        passed = re.search(r'\[  PASSED  \] (\d+) tests', done.stdout)
        self.assertIsNotNone(passed, done.stdout)
        self.assertGreater(int(passed.group(1)), 0)     # type: ignore


if __name__ == '__main__':
    main()
