#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The time of day that a guest computes is the host's.

The guest's clock stands still while the machine does, and the wallclock in
shared_info is relative to it: after a late start, and after a pause, it must
have been written anew.
"""

import time

from overlay_test import OverlayTest, main

# Seconds.  The way of the question and the answer takes far less than the
# first; the second is well above it.
ERROR = 5
PAUSE = 3 * ERROR


class Clock(OverlayTest):
    """Against a guest that says the time when it is asked."""

    def check(self, when: str) -> None:
        """The guest's time of day is the host's."""
        self.send_byte()
        guest = int(self.wait_for(r'TIME (\d+)\n').group(1)) / 1e9
        difference = guest - time.time()
        self.log.info('%s: %.3f s', when, difference)
        self.assertLess(abs(difference), ERROR, when)

    def pause(self, backend: str) -> None:
        """Start late, pause, and ask each time."""
        self.launch_bare_metal(
            'clock', 'times=2', '-S',
            '-global', f'xen-overlay.shared-info={backend}')
        time.sleep(PAUSE)
        self.vm.cmd('cont')
        self.wait_for(r'READY\n')
        self.check('after a late start')
        self.vm.cmd('stop')
        time.sleep(PAUSE)
        self.vm.cmd('cont')
        self.check('after a pause')
        self.end_of_bare_metal()

    def test_hva(self) -> None:
        self.pause('hva')

    def test_gfn(self) -> None:
        self.pause('gfn')


if __name__ == '__main__':
    main()
