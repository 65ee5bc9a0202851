# SPDX-License-Identifier: GPL-2.0-or-later
"""The framework of the functional tests, on top of QEMU's own.

A test file needs no environment: `python3 FILE` and `avocado run FILE` both
find QEMU's framework and the built emulator by themselves, and run a test
that needs KVM's Xen support where that is: on this machine, or in the
nested host.
"""

from overlay_test import environment    # first: makes qemu_test importable
from kprobes import KprobeCounts, KprobeRecord
from overlay_test.testcase import OverlayTest, main
from overlay_test.trace import OverlayTrace
from qemu.qmp import ExecuteError

__all__ = ['ExecuteError', 'KprobeCounts', 'KprobeRecord', 'OverlayTest',
           'OverlayTrace', 'environment', 'main']
