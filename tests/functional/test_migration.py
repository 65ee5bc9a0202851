#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest is migrated, saved and loaded, and misses nothing.

The bare-metal guest `events` has one event under way for each pair of its
vCPUs' distances, counts each that it sends and hears, and has a timer on each
vCPU.  What it may not lose is lost for good if it is lost once, so it is
looked at after all is done.
"""

import time
from pathlib import Path

from overlay_test import main
from overlay_test.migration import (AUTO, BETWEEN, GFN, HVA, VCPUS,
                                    EventsTest)

# There and back, twice; of the usual way, more in a row.
MIGRATIONS = 4
IN_A_ROW = 10
# Beyond the words in which the 32-bit layout has the wallclock.
PORTS = 2400

QUERIES = ('query-xen-overlay', 'query-xen-shared-info',
           'query-xen-vcpu-info')


class Events(EventsTest):
    """Migrations in a row, with all that goes on going on."""

    def migrations(self, append: str, *backends: tuple[str, ...],
                   smp: int = VCPUS, number: int = MIGRATIONS) -> None:
        """`backends`: of each machine, in turn."""
        masked = self.start_events(append, *backends[0], smp=smp).group(2)
        self.go()
        downtimes = []
        for n in range(1, number + 1):
            source = self.leave_machine()
            self.launch_events('', *backends[n % len(backends)],
                               '-incoming', 'defer', smp=smp)

            def ask() -> None:
                for query in QUERIES:
                    source.cmd(query)
                    self.vm.cmd(query)

            downtimes.append(self.migrate_to(source, ask)['downtime'])
            self.end_machine(source)
            info = self.vm.cmd('query-xen-overlay', verify=True)
            self.assertTrue(info['kernel-agrees'], info)
            self.assertFalse(info['broken'])
        totals = self.rest()
        print(f'{append}: {number} migrations, {totals}, downtimes in ms '
              f'{downtimes}')
        self.assertLess(number, totals['ticks'])
        self.command('u', rf'HEARD masked={masked}\n')
        # Not only once.
        self.go()
        self.rest()
        self.finish()
        self.check_log(self.vm)

    def test_hva(self) -> None:
        self.migrations(f'own=1-3 ports={PORTS}', HVA, number=IN_A_ROW)

    def test_gfn(self) -> None:
        self.migrations(f'own=2,3 ports={PORTS}', GFN)

    def test_either(self) -> None:
        """From one that KVM finds by frame to one by address, and back."""
        self.migrations(f'own=2,3 ports={PORTS}', GFN, HVA)

    def test_other_callbacks(self) -> None:
        """Called by a pin, whose level comes along, or by each vCPU's own
        vector."""
        self.migrations('gsi=20', AUTO, GFN, smp=1, number=2)
        self.leave_machine()
        self.migrations('upcall=1 own=0-3', AUTO, GFN, number=2)

    def test_event_after_the_last_pass_but_one(self) -> None:
        """What KVM writes when all vCPUs have stopped, to pages that were
        sent long ago, comes along: the bit in shared_info, and the selector
        in a vcpu_info of the guest's own.  Each of the vCPUs but the first
        is halted."""
        for backend in (AUTO, GFN):
            ready = self.start_events('own=0-3 ports=20', *backend)
            source = self.leave_machine()
            self.launch_events('', *backend, '-incoming', 'defer')
            source.cmd('migrate-set-capabilities', capabilities=[
                {'capability': 'pause-before-switchover', 'state': True}])
            uri = f'unix:{self.path("migration")}'
            self.vm.cmd('migrate-incoming', uri=uri)
            source.cmd('migrate', uri=uri)
            while source.cmd('query-migrate')['status'] != 'pre-switchover':
                time.sleep(BETWEEN)
            source.cmd('xen-event-inject', port=int(ready.group(1)))
            source.cmd('migrate-continue', state='pre-switchover')
            self.wait_for_migration(source)
            self.wait_for_migration(self.vm)
            self.end_machine(source)
            self.go()
            self.assertEqual(1, self.rest()['outside'])
            self.finish()
            self.leave_machine()


class Snapshot(EventsTest):
    """Saved and loaded: by whom saved it, by one that has just started, and
    by one whose guest is younger than the snapshot."""

    GUEST = f'own=2,3 ports={PORTS}'
    DISK = ('-blockdev', 'file,node-name=file,filename={file}', '-blockdev',
            'qcow2,node-name=disk,file=file')
    JOB = {'tag': 'moment', 'vmstate': 'disk', 'devices': ['disk']}

    def make_disk(self) -> list[str]:
        """The arguments for it."""
        file = self.path('disk')
        Path(file).touch()
        self.launch_events('cpus=1', '-S', '-blockdev',
                           f'file,node-name=file,filename={file}', smp=1)
        self.job('blockdev-create', options={
            'driver': 'qcow2', 'file': 'file', 'size': 1 << 20})
        self.end_machine(self.leave_machine())
        return [argument.format(file=file) for argument in self.DISK]

    def content(self, masked: str) -> None:
        """The guest goes on where it was, with nothing missing."""
        self.rest()
        self.command('u', rf'HEARD masked={masked}\n')
        self.go()
        self.rest()

    def snapshots(self, saver: tuple[str, ...],
                  loader: tuple[str, ...]) -> None:
        disk = self.make_disk()
        masked = self.start_events(self.GUEST, *saver, *disk).group(2)
        self.go()
        self.rest()
        self.go()
        self.job('snapshot-save', **self.JOB)
        self.content(masked)
        self.job('snapshot-load', **self.JOB)
        self.vm.cmd('cont')
        self.content(masked)
        self.end_machine(self.leave_machine())

        self.launch_events(f'cpus={VCPUS} {self.GUEST}', *loader, *disk,
                           '-loadvm', 'moment')
        self.content(masked)
        self.finish()
        self.check_log(self.vm)
        self.leave_machine()

        self.start_events(self.GUEST, *loader, *disk)
        self.job('snapshot-load', **self.JOB)
        self.vm.cmd('cont')
        self.content(masked)
        self.finish()
        self.check_log(self.vm)
        self.leave_machine()

    def test_own(self) -> None:
        self.snapshots(AUTO, AUTO)

    def test_gfn_to_hva(self) -> None:
        self.snapshots(GFN, HVA)


if __name__ == '__main__':
    main()
