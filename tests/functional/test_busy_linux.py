#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine goes through while its Linux is busy.

Timers, IPIs and a virtio disk all go on after each of it: whatever kind of event
is lost once, one of the load's counters stands still.
"""

from pathlib import Path

from overlay_test import main
from overlay_test.load import LoadTest, Questions
from overlay_test.migration import MigrationTest

PAUSES = 5
MIGRATIONS = 4


class BusyLinux(LoadTest, MigrationTest):
    """With questions to its overlay meanwhile."""

    def launch(self, backend: str, *arguments: str) -> Questions:
        """A machine for the guest."""
        monitor = Path(self.path(f'monitor-{len(self._left)}'))
        self.launch_load('', '-global', f'xen-overlay.shared-info={backend}',
                         *Questions.arguments(monitor), *arguments,
                         reboot=True, smp='2')
        return Questions(monitor)

    def is_well(self) -> None:
        """The load goes on, and KVM has all as QEMU believes."""
        self.goes_on()
        overlay = self.vm.cmd('query-xen-overlay', verify=True)
        self.assertTrue(overlay['kernel-agrees'], overlay)
        self.assertFalse(overlay['broken'])

    def life(self, *backends: str) -> None:
        """`backends`: of each machine, in turn."""
        with self.launch(backends[0]) as questions:
            self.wait_for_load('guest: ready')
            self.is_well()
            for _ in range(PAUSES):
                self.vm.cmd('stop')
                self.vm.cmd('cont')
                self.is_well()
            self.vm.cmd('system_reset')
            self.wait_for_load('guest: .*Hypervisor detected: Xen HVM')
            self.wait_for_load('guest: ready')
            self.is_well()
        self.assertGreater(questions.asked, 0)
        downtimes = []
        for n in range(1, MIGRATIONS + 1):
            source = self.leave_machine()
            with self.launch(backends[n % len(backends)],
                             '-incoming', 'defer') as questions:
                downtimes.append(self.migrate_to(source)['downtime'])
                self.is_well()
            self.assertGreater(questions.asked, 0)
            self.end_machine(source)
        saved = f'file:{self.path("saved")}'
        self.vm.cmd('stop')
        self.vm.cmd('migrate', uri=saved)
        self.wait_for_migration(self.vm)
        self.end_machine(self.leave_machine())
        with self.launch(backends[0], '-incoming', saved):
            self.wait_for_migration(self.vm)
            self.vm.cmd('cont')
            self.is_well()
        print(f'{backends}: downtimes in ms {downtimes}')
        self.end_machine(self.vm)

    def test_hva(self) -> None:
        self.life('auto')

    def test_gfn_and_hva(self) -> None:
        self.life('gfn', 'auto')


if __name__ == '__main__':
    main()
