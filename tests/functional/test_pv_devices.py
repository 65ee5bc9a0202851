#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with a PV disk is not migrated while the disk is connected.

The bare-metal guest `xenstore` connects the disk when it is told to.  What it
does is told with a byte each; see its main.cpp.
"""

import socket
import tempfile

from overlay_test import ExecuteError, OverlayTest, main
from overlay_test.testcase import ACCEL
from qemu.machine import QEMUMachine

DISK = ('-blockdev', 'null-co,node-name=null,size=1048576', '-device',
        'xen-disk,id=the-disk,drive=null,vdev=xvda')
BLOCKED = ("xen-disk 'the-disk' is connected to the guest, and Xen PV devices "
           'cannot be migrated then')


class PvTest(OverlayTest):
    """The guest that talks to XenStore."""

    def setUp(self) -> None:
        super().setUp()
        self._scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self._scratch.cleanup)
        # A stream that nobody will read.
        self.sink = f'file:{self._scratch.name}/sink'

    def start(self, *arguments: str) -> None:
        self.launch_bare_metal('xenstore', '', *arguments, memory='64')
        if '-incoming' not in arguments:
            self.wait_for('READY\n')

    def tell(self, letter: str, answer: str) -> None:
        self.vm.console_socket.sendall(letter.encode())
        self.wait_for(answer)

    def finish(self) -> None:
        self.vm.console_socket.sendall(b'q')
        self.end_of_bare_metal()


class XenStore(PvTest):
    """Requests that ended QEMU, or were never answered."""

    def test_requests(self) -> None:
        self.start()
        self.tell('r', 'DOMID 1\n')
        self.tell('m', 'MADE\n')
        for _ in range(20):
            self.tell('p', 'DOMID 1\n')
        self.tell('r', 'DOMID 1\n')
        self.finish()


class Gate:
    """A destination that takes nothing until it is told where to: as long,
    a migration cannot end."""

    def __init__(self, path: str) -> None:
        self.uri = f'unix:{path}'
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()

    def open(self) -> None:
        """Take the connection of a migration that was started."""
        self._stream, _ = self._server.accept()

    def let_through(self, path: str) -> None:
        """All of it, to the socket there."""
        with socket.socket(socket.AF_UNIX) as to:
            to.connect(path)
            while data := self._stream.recv(1 << 16):
                to.sendall(data)


class PvDisk(PvTest):
    """The blocker, and who has to wait for what."""

    def refused(self) -> str:
        """What QEMU says to a migration."""
        with self.assertRaises(ExecuteError) as raised:
            self.vm.cmd('migrate', uri=self.sink)
        return str(raised.exception)

    def migrate(self, machine: QEMUMachine, **arguments: str) -> None:
        machine.cmd('migrate', **arguments)
        self.await_status(machine, 'completed')

    def await_status(self, machine: QEMUMachine, wanted: str) -> None:
        while True:
            status = machine.cmd('query-migrate').get('status')
            if status == wanted:
                return
            self.assertNotIn(status, ('completed', 'failed', 'cancelled'))

    def test_connected(self) -> None:
        """Refused by name while the disk is connected, and only then."""
        self.start(*DISK)
        self.migrate(self.vm, uri=self.sink)
        self.vm.cmd('cont')

        # It does not stay when the connection fails.
        self.tell('b', 'REFUSED\n')
        self.migrate(self.vm, uri=self.sink)
        self.vm.cmd('cont')
        self.tell('d', 'CLOSED\n')
        self.tell('i', 'READY\n')

        self.tell('c', 'CONNECTED\n')
        self.assertEqual(BLOCKED, self.refused())
        self.assertEqual([BLOCKED],
                         self.vm.cmd('query-migrate')['blocked-reasons'])
        said = self.vm.cmd('human-monitor-command',
                           command_line='savevm name')
        self.assertIn(BLOCKED, said)

        self.tell('d', 'CLOSED\n')
        self.migrate(self.vm, uri=self.sink)
        self.vm.cmd('cont')

        self.tell('i', 'READY\n')
        self.tell('c', 'CONNECTED\n')
        self.assertEqual(BLOCKED, self.refused())
        self.vm.cmd('device_del', id='the-disk')
        self.tell('d', 'CLOSED\n')
        self.vm.event_wait('DEVICE_DELETED')
        self.migrate(self.vm, uri=self.sink)
        self.vm.cmd('cont')
        self.finish()

    def test_meanwhile(self) -> None:
        """A disk that would be connected during a migration is so afterwards,
        where the guest is then."""
        self.start(*DISK)
        gate = Gate(f'{self._scratch.name}/gate')
        self.vm.cmd('migrate', uri=gate.uri)
        gate.open()
        self.await_status(self.vm, 'active')
        self.tell('c', 'WAITING\n')
        self.vm.cmd('migrate_cancel')
        self.await_status(self.vm, 'cancelled')
        self.tell('w', 'CONNECTED\n')
        self.assertEqual(BLOCKED, self.refused())
        self.tell('d', 'CLOSED\n')
        self.tell('i', 'READY\n')

        self.vm.cmd('migrate', uri=gate.uri)
        gate.open()
        self.await_status(self.vm, 'active')
        self.tell('c', 'WAITING\n')
        source = self._vms.pop('default')
        self._vms['source'] = source
        incoming = f'{self._scratch.name}/incoming'
        self.start(*DISK, '-incoming', f'unix:{incoming}')
        gate.let_through(incoming)
        self.await_status(source, 'completed')
        self.await_status(self.vm, 'completed')
        source.shutdown()
        self.tell('w', 'CONNECTED\n')
        self.assertEqual(BLOCKED, self.refused())
        self.tell('d', 'CLOSED\n')
        self.finish()

    def test_only_migratable(self) -> None:
        """Then there are no PV devices; without them, all is well.  The
        default NIC of a Xen machine is one."""
        said = self.run_emulator('-accel', ACCEL, '-m', '64',
                                 '-only-migratable', *DISK)
        self.assertEqual(1, said.returncode)
        self.assertIn('Device xen-disk is not migratable once the guest uses '
                      'it, but --only-migratable was specified', said.stderr)
        self.start('-only-migratable', '-nic', 'none')
        self.tell('r', 'DOMID 1\n')
        self.migrate(self.vm, uri=self.sink)
        self.vm.cmd('cont')
        self.finish()


if __name__ == '__main__':
    main()
