#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The time of day that a guest computes is the host's.

The guest's clock stands still while the machine does, and the wallclock in
shared_info is relative to it: after a late start, and after each pause, it
must have been written anew, once.  A change of the guest's width moves it, and
after a reset it must be there.  When a guest was migrated or saved, what came
along of it is old.
"""

import time
from pathlib import Path

from overlay_test import KprobeCounts, main
from overlay_test.generation import GFN, generation
from overlay_test.migration import MigrationTest

# Seconds.  What an answer may be beside all that the host's clock showed
# between question and answer; and a pause that is well above the time between.
ERROR = 0.01
PAUSE = 5

# KVM is asked to write the wallclock by an attribute of the VM.
SET_ATTR = 'kvm_xen_hvm_set_attr'


class Clock(MigrationTest):
    """Against a guest that says the time when it is asked."""

    def setUp(self) -> None:
        super().setUp()
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)

    def check(self, when: str) -> None:
        """The guest's time of day is the host's."""
        before = time.time()
        self.ask('t')
        guest = int(self.wait_for(r'TIME (\d+)\n').group(1)) / 1e9
        after = time.time()
        error = max(before - guest, guest - after, 0)
        self.log.info(f'{when}: error {error * 1000:.3f} ms, '
              f'unseen {(after - before) * 1000:.1f} ms')
        self.assertLess(error, ERROR, when)

    def ask(self, what: str) -> None:
        """Have the guest do something (tests/guest/clock)."""
        self.vm.console_socket.sendall(what.encode())

    def be(self, width: int) -> None:
        """Have the guest be one of that many bits."""
        self.ask(str(width)[0])
        self.wait_for(rf'WIDTH {width}\n')
        # Before 6.9 KVM tells nobody that the guest set its width by the MSR,
        # and writes no wallclock then: the next map does both.
        if generation() is GFN:
            self.ask('m')
            self.wait_for(r'MAPPED\n')

    def refreshes(self, do: str) -> int:
        """How often KVM wrote the wallclock for a command."""
        before = self.counts.read()[SET_ATTR]
        self.vm.cmd(do)
        return self.counts.read()[SET_ATTR] - before

    def start(self, backend: str, *arguments: str) -> None:
        """The guest that is asked."""
        self.launch_bare_metal(
            'clock', 'times=8', *arguments,
            '-global', f'xen-overlay.shared-info={backend}', reboot=True)

    def transitions(self, backend: str) -> None:
        """All that a machine goes through with its memory as it is."""
        # Before 6.9 setting the mode alone writes no wallclock, so that the
        # page is set once more.
        once = 2 if generation() is GFN else 1
        with KprobeCounts([SET_ATTR]) as self.counts:
            self.start(backend, '-S')
            time.sleep(PAUSE)
            self.assertEqual(once, self.refreshes('cont'))
            self.wait_for(r'READY\n')
            self.check('after a late start')

            self.assertEqual(0, self.refreshes('stop'))
            time.sleep(PAUSE)
            self.assertEqual(once, self.refreshes('cont'))
            self.check('after a pause')

            # Nothing happens, so nothing is done.
            before = self.counts.read()
            time.sleep(PAUSE)
            self.assertEqual(before, self.counts.read())
            self.check('a while later')

            for _ in range(10):
                self.assertEqual(0, self.refreshes('stop'))
                self.assertEqual(once, self.refreshes('cont'))
            self.check('after pauses in a row')

            self.be(32)
            self.check('as a 32-bit guest')
            self.vm.cmd('stop')
            time.sleep(PAUSE)
            self.vm.cmd('cont')
            self.check('as a 32-bit guest, after a pause')
            self.be(64)
            self.check('as a 64-bit guest again')

            self.ask('r')
            self.wait_for(r'READY\n')
            self.check('after a reset')
            self.vm.cmd('quit')
            self.vm.wait(timeout=60)

    def moves(self, backend: str) -> None:
        """Other machines, and another time; the clock stood still
        meanwhile."""
        file = self.path('disk')
        Path(file).touch()
        self.start(backend, '-blockdev',
                   f'file,node-name=file,filename={file}')
        self.wait_for(r'READY\n')
        self.check('at first')

        self.job('blockdev-create', options={
            'driver': 'qcow2', 'file': 'file', 'size': 1 << 20})
        self.vm.cmd('blockdev-add', **{
            'driver': 'qcow2', 'node-name': 'disk', 'file': 'file'})
        snapshot = {'tag': 'moment', 'vmstate': 'disk', 'devices': ['disk']}
        self.job('snapshot-save', **snapshot)
        self.check('after a snapshot was saved')
        time.sleep(PAUSE)
        self.job('snapshot-load', **snapshot)
        self.vm.cmd('cont')
        self.check('after the snapshot was loaded')
        self.vm.cmd('blockdev-del', **{'node-name': 'disk'})
        self.vm.cmd('blockdev-del', **{'node-name': 'file'})

        source = self.leave_machine()
        self.start(backend, '-incoming', 'defer')
        downtime = self.migrate_to(source)['downtime']
        self.check(f'after a migration, downtime {downtime} ms')
        self.end_machine(source)

        saved = f'file:{self.path("saved")}'
        self.vm.cmd('stop')
        self.vm.cmd('migrate', uri=saved)
        self.wait_for_migration(self.vm)
        self.end_machine(self.leave_machine())
        time.sleep(PAUSE)
        self.start(backend, '-incoming', saved, '-S')
        self.wait_for_migration(self.vm)
        time.sleep(PAUSE)
        self.vm.cmd('cont')
        self.check('after it was saved and loaded')

    def test_moves_hva(self) -> None:
        self.moves('hva')

    def test_moves_gfn(self) -> None:
        self.moves('gfn')

    def test_hva(self) -> None:
        self.transitions('hva')

    def test_gfn(self) -> None:
        self.transitions('gfn')


if __name__ == '__main__':
    main()
