# SPDX-License-Identifier: GPL-2.0-or-later
"""Moving a guest from machine to machine, and one that counts its events."""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qemu.machine import QEMUMachine

from overlay_test.testcase import OverlayTest

VCPUS = 4

# As the device chooses, or else.
AUTO = ('-global', 'xen-overlay.shared-info=auto')
HVA = ('-global', 'xen-overlay.shared-info=hva')
GFN = ('-global', 'xen-overlay.shared-info=gfn')

ENDED = ('completed', 'failed', 'cancelled')
# Seconds between questions how far something is: who asks all the time keeps
# the nested host's only CPU from those who are to get on with it.
BETWEEN = 0.1


class MigrationTest(OverlayTest):
    """Machines, and ways for a guest from one to another."""

    def setUp(self) -> None:
        self._left: list[QEMUMachine] = []
        super().setUp()
        self._scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self._scratch.cleanup)

    @property
    def vm(self) -> QEMUMachine:
        """The one in use now; each has a name, and so a log, of its own."""
        return self.get_vm(name=f'machine-{len(self._left)}')

    def path(self, name: str) -> str:
        return str(Path(self._scratch.name) / name)

    def leave_machine(self) -> QEMUMachine:
        """Make room for another one as self.vm; this one stays as it is."""
        machine = self.vm
        self._left.append(machine)
        self._unread = ''
        return machine

    def migrate_to(self, source: QEMUMachine,
                   meanwhile: Callable[[], None] = lambda: None
                   ) -> dict[str, int]:
        """Move the guest of `source` to self.vm, which waits for it; what
        `source` says of it."""
        uri = f'unix:{self.path("migration")}'
        self.vm.cmd('migrate-incoming', uri=uri)
        source.cmd('migrate', uri=uri)
        self.wait_for_migration(source, meanwhile)
        info = source.cmd('query-migrate')
        self.wait_for_migration(self.vm)
        return info

    def wait_for_migration(self, machine: QEMUMachine,
                           meanwhile: Callable[[], None] = lambda: None
                           ) -> None:
        while True:
            status = machine.cmd('query-migrate').get('status')
            if status in ENDED:
                self.assertEqual('completed', status, machine.get_log())
                return
            meanwhile()
            time.sleep(BETWEEN)

    def job(self, command: str, **arguments: object) -> None:
        """Run a job (of blockdev-create, snapshot-save, ...) to its end."""
        self.vm.cmd(command, **{'job-id': 'job', **arguments})
        while True:
            job, = self.vm.cmd('query-jobs')
            if job['status'] == 'concluded':
                break
            time.sleep(BETWEEN)
        self.assertNotIn('error', job)
        self.vm.cmd('job-dismiss', id='job')

    def end_machine(self, machine: QEMUMachine) -> None:
        machine.shutdown()
        self.assertEqual(0, machine.exitcode(), machine.get_log())
        self.check_log(machine)

    def check_log(self, machine: QEMUMachine) -> None:
        """Nothing the device did failed, and nobody complained."""
        log = machine.get_log() or ''
        for line in log.splitlines():
            self.assertNotRegex(line, r'xen_overlay_\w+.* ret=-')
            if 'exceeds the recommended cpus' not in line:
                self.assertNotRegex(line, r'^qemu-system-\S+: ')


class EventsTest(MigrationTest):
    """With the guest that counts its events (tests/guest/events)."""

    def launch_events(self, append: str, *arguments: str,
                      smp: int = VCPUS) -> None:
        self.launch_bare_metal('events', append, *arguments, smp=str(smp),
                               memory='64')

    def start_events(self, append: str, *arguments: str,
                     smp: int = VCPUS) -> re.Match[str]:
        """From power-on to where the guest takes commands."""
        self.launch_events(f'cpus={smp} {append}', *arguments, smp=smp)
        return self.wait_for(r'READY outside=(\d+) masked=(\d+)\n')

    def command(self, letter: str, answer: str) -> re.Match[str]:
        self.vm.console_socket.sendall(letter.encode())
        return self.wait_for(answer)

    def go(self) -> None:
        self.command('g', 'GOING\n')

    def rest(self) -> dict[str, int]:
        """Bring all events to rest; what the guest counted, if it is
        content."""
        match = self.command('s', r'TOTAL (.*)\n')
        totals = {name: int(number) for name, number in
                  (pair.split('=') for pair in match.group(1).split())}
        self.assertEqual(totals['sent'], totals['heard'])
        return totals

    def finish(self) -> None:
        self.command('q', 'VERDICT: PASS')
        self.vm.wait(timeout=60)
        self.assertEqual(1, self.vm.exitcode())
