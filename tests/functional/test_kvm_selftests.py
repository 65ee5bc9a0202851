#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM's own tests of its Xen support, from the source of its kernel.

A check of the test bed: where they fail, other results mean nothing.
"""

import os
import subprocess
from pathlib import Path

from overlay_test import OverlayTest, main
from overlay_test.generation import HVA, OF_KERNEL, generation
from overlay_test.place import KVM_SELFTESTS
from nested import kernel

# In which the steal time alone may take a while.
SECONDS = 300


class SelftestTest(OverlayTest):
    """Runs what place.py took along."""

    def run_selftest(self, of: str, name: str
                     ) -> subprocess.CompletedProcess[str]:
        """Run one of those built with the kernel called `of`."""
        folders = dict(part.split('=', 1) for part in
                       os.environ.get(KVM_SELFTESTS, '').split())
        if of not in folders:
            self.skipTest(f'KVM\'s own tests are there for the nested '
                          f'host\'s kernels only, not for {of} here')
        return subprocess.run([str(Path(folders[of]) / name)],
                              capture_output=True, text=True, check=False,
                              timeout=SECONDS)


class KvmSelftests(SelftestTest):
    """Those that were built for the nested host's kernel."""

    needs_selftests_of = (kernel.chosen(),)

    def passes(self, name: str) -> None:
        done = self.run_selftest(kernel.chosen(), name)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_xen_shinfo(self) -> None:
        self.passes('xen_shinfo_test')

    def test_xen_vmcall(self) -> None:
        self.passes('xen_vmcall_test')

    def test_generation(self) -> None:
        """The kernel is what its name says."""
        name = kernel.chosen()
        if name not in OF_KERNEL or KVM_SELFTESTS not in os.environ:
            self.skipTest('not one of the nested host\'s kernels')
        self.assertEqual(OF_KERNEL[name], generation())


class Extension(SelftestTest):
    """What our kernel patches add to xen_shinfo_test needs the patches."""

    needs_selftests_of = ('default-slot',)
    # It makes KVM warn, where that is not fixed.
    kernel_may_warn = True

    def test_fails_without_the_patches(self) -> None:
        if generation() != HVA:
            self.skipTest(f'this KVM\'s generation is {generation()}')
        done = self.run_selftest('default-slot', 'xen_shinfo_test')
        self.assertNotEqual(0, done.returncode)
        self.assertIn('Bad time_info version 0', done.stdout + done.stderr)


if __name__ == '__main__':
    main()
