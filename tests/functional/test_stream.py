#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migration streams that somebody tampered with.

Whatever is in them, QEMU takes them or refuses them: it says why and ends
with status 1, and not by a signal.  What it takes it can live with: the
guest runs, is asked for, reset and ended.
"""

import json
import random
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from overlay_test import OverlayTest, main, stream
from overlay_test.environment import GUESTS
from overlay_test.testcase import ACCEL

VCPUS = 2
MEMORY = '32'
SECONDS = 120

# Of a section, besides those that must be refused.
CASES = 40

REFUSED = 1


class Incoming:
    """An emulator that takes a stream from a file."""

    def __init__(self, binary: str, guest: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [binary, '-display', 'none', '-vga', 'none', '-machine', 'q35',
             '-accel', ACCEL, '-smp', str(VCPUS), '-m', MEMORY,
             '-kernel', str(GUESTS / f'{guest}.elf'), '-append', '',
             '-device', 'isa-debug-exit,iobase=0xf4', '-serial', 'null',
             '-qmp', 'stdio', '-incoming', 'defer', *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        # Whatever hangs must not hang the test.
        self.said = ''
        self._next()

    def _next(self) -> dict[str, Any] | None:
        """The next message; None if the emulator is gone."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def cmd(self, name: str, **arguments: object) -> Any:
        """A command's answer; None if the emulator went instead."""
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(
                {'execute': name, 'arguments': arguments}) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        while True:
            message = self._next()
            if message is None:
                return None
            if 'error' in message:
                raise AssertionError(f'{name}: {message["error"]}')
            if 'return' in message:
                return message['return']

    def load(self, file: Path) -> bool:
        """Whether the stream was taken."""
        self.cmd('qmp_capabilities')
        self.cmd('migrate-incoming', uri=f'file:{file}')
        while True:
            info = self.cmd('query-migrate')
            if info is None or info.get('status') == 'completed':
                return info is not None

    def end(self) -> int:
        """Its status; negative: the signal."""
        try:
            out, self.said = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            _, self.said = self.process.communicate()
        return self.process.returncode


class Stream(OverlayTest):
    """Sections of Xen's devices, one byte or number at a time."""

    def setUp(self) -> None:
        super().setUp()
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.file = Path(scratch.name) / 'stream'
        self.taken = 0
        self.refused = 0

    def record(self, guest: str, append: str, *arguments: str) -> bytes:
        """The stream of a guest that is ready."""
        self.guest = guest
        self.launch_bare_metal(guest, append, *arguments, smp=str(VCPUS),
                               memory=MEMORY)
        self.wait_for(r'READY.*\n')
        self.vm.cmd('migrate', uri=f'file:{self.file}')
        while self.vm.cmd('query-migrate').get('status') != 'completed':
            pass
        self.vm.shutdown()
        return self.file.read_bytes()

    def take(self, data: bytes, *arguments: str) -> tuple[int, str, Any]:
        """What becomes of it: status, words, and the device tree."""
        self.file.write_bytes(data)
        assert self.qemu_bin
        machine = Incoming(self.qemu_bin, self.guest, *arguments)
        tree = None
        if machine.load(self.file):
            # Each of these looks at all there is.
            machine.cmd('xen-event-list')
            machine.cmd('query-xen-overlay', verify=True)
            machine.cmd('query-xen-shared-info')
            machine.cmd('query-xen-vcpu-info')
            tree = machine.cmd('human-monitor-command',
                               **{'command-line': 'info qtree'})
            machine.cmd('stop')
            machine.cmd('cont')
            machine.cmd('system_reset')
            machine.cmd('quit')
        status = machine.end()
        return status, machine.said, tree

    def must_be_refused(self, data: bytes, said: str) -> None:
        with self.subTest(said):
            status, words, _ = self.take(data)
            self.assertEqual(REFUSED, status, words)
            self.assertIn(said, words)

    def may_be_refused(self, data: bytes, what: str) -> None:
        with self.subTest(what):
            status, words, _ = self.take(data)
            self.assertIn(status, (0, REFUSED), f'{what}: {words}')
            if status:
                self.assertNotEqual('', words, what)
                self.refused += 1
            else:
                self.taken += 1

    def mutations(self, data: bytes, name: str
                  ) -> Iterator[tuple[bytes, str]]:
        """The same each time."""
        chance = random.Random(name)
        section = stream.find(data, name)
        for _ in range(CASES):
            offset = chance.randrange(len(section))
            width = min(chance.choice([1, 1, 1, 2, 4]), len(section) - offset)
            value = chance.choice([
                b'\xff' * width, b'\0' * width, b'\x80' + b'\0' * (width - 1),
                b'\0' * (width - 1) + b'\1', chance.randbytes(width)])
            yield (stream.patched(data, section, offset, value),
                   f'{name}+{offset}: {value.hex()}')

    def try_all(self, data: bytes, name: str) -> None:
        for mutated, what in self.mutations(data, name):
            self.may_be_refused(mutated, what)
        print(f'{name}: {self.taken} taken, {self.refused} refused')
        # Or it is the same stream each time.
        self.assertLess(0, self.taken + self.refused)

    def test_overlay_and_event_channels(self) -> None:
        data = self.record('events', f'cpus={VCPUS} ports=20')
        status, words, _ = self.take(data)
        self.assertEqual(0, status, words)

        overlay = stream.find(data, 'xen_overlay')
        self.assertEqual(9, len(overlay))
        self.must_be_refused(
            stream.patched(data, overlay, 0, bytes([0x80, 0, 0, 0, 0, 0, 0,
                                                    1])),
            'xen-overlay: cannot restore shared_info at 0x8000000000000001: '
            'Invalid argument')

        # callback_param, nr_ports, ports of 8 bytes, gsi_pirq, ...
        events = stream.find(data, 'xen_evtchn')
        at = events.start + 8
        ports = int.from_bytes(data[at:at + 4], 'big')
        self.assertLess(20, ports)
        gsi_pirq = 12 + 8 * ports
        for offset, value, said in (
                (0, b'\x02' + b'\0' * 6 + b'\1',
                 'xen_evtchn: the guest cannot be called by'),
                (8, (4097).to_bytes(4, 'big'),
                 'Input validation failed: xen_evtchn/nr_ports fits'),
                (8, b'\xff' * 4,
                 'Input validation failed: xen_evtchn/nr_ports fits'),
                # Port 2 is an IPI: vCPU, type, and what it is bound to.
                (12 + 16, b'\0\0\0\x40', 'xen_evtchn: port 2 is impossible'),
                (12 + 16 + 4, b'\0\x09', 'xen_evtchn: port 2 is impossible'),
                # To a PIRQ that is not, to a peer that knows nothing of it,
                # to a back end's port that cannot be.
                (12 + 16 + 4, b'\0\3\0\0', 'xen_evtchn: port 2 is impossible'),
                (12 + 16 + 4, b'\0\3\xff\xff',
                 'xen_evtchn: port 2 is impossible'),
                (12 + 16 + 4, b'\0\2\0\3', 'xen_evtchn: port 2 is impossible'),
                (12 + 16 + 4, b'\0\2\xff\xff',
                 'xen_evtchn: port 2 is impossible'),
                (12 + 16 + 4, b'\0\4\0\x99',
                 'xen_evtchn: port 2 is impossible'),
                # Two to one PIRQ.
                (12 + 16 + 4, b'\0\3\0\x10\0\0\0\0\0\3\0\x10',
                 'xen_evtchn: ports 2 and 3 are both bound to PIRQ 16'),
                # XenStore's is port 1.
                (12 + 8 + 4, b'\0\5\0\0', 'xen_xenstore: the guest\'s port 1 '
                 'cannot be bound'),
                (gsi_pirq, b'\xff\xff', 'xen_evtchn: GSI 0 is mapped to')):
            self.must_be_refused(stream.patched(data, events, offset, value),
                                 said)
        self.must_be_refused(data[:events.start + 20], '')
        self.try_all(data, 'xen_overlay')
        self.try_all(data, 'xen_evtchn')

    def test_grant_table_and_xenstore(self) -> None:
        data = self.record('xenstore', '')
        # nr_frames, where each is
        grants = stream.find(data, 'xen_gnttab')
        self.assertEqual(12, len(grants))
        for offset, value, said in (
                (0, b'\0\0\0\x41',
                 'Input validation failed: xen_gnttab/nr_frames fits'),
                (0, b'\xff' * 4,
                 'Input validation failed: xen_gnttab/nr_frames fits'),
                (11, b'\1', 'xen_gnttab: frame 0 cannot be shown at'),
                (4, b'\x80', 'xen_gnttab: frame 0 cannot be shown at')):
            self.must_be_refused(stream.patched(data, grants, offset, value),
                                 said)

        # Request, response, both offsets, pending, port, error, size, tree
        store = stream.find(data, 'xen_xenstore')
        fields = 2 * (16 + 4096)
        tree = fields + 4 + 4 + 1 + 4 + 1 + 4
        impossible = 'xen_xenstore: impossible message in transit'
        for offset, value, said in (
                (fields, b'\xff' * 4, impossible),
                (fields, (17).to_bytes(4, 'big'), impossible),
                (fields + 4, b'\0\0\0\1', impossible),
                # A response that is over already.
                (fields + 4, b'\0\0\0\x10\1', impossible),
                (fields + 9, b'\0\0\x0f\xff',
                 'xen_xenstore: the guest\'s port 4095 cannot be bound'),
                (fields + 14, b'\xff' * 4, 'Input validation failed: '
                 'xen_xenstore/impl_state_size is bounded'),
                (tree, b'\0\0\0\0', 'xen_xenstore: the tree cannot be loaded'),
                (tree + 8, b'\4',
                 'xen_xenstore: the tree cannot be loaded')):
            self.must_be_refused(stream.patched(data, store, offset, value),
                                 said)
        self.try_all(data, 'xen_gnttab')
        self.try_all(data[:store.end] + data[store.end:], 'xen_xenstore')
        # Most of that is empty buffers.
        chance = random.Random('tree')
        for _ in range(CASES):
            offset = chance.randrange(fields, len(store))
            self.may_be_refused(
                stream.patched(data, store, offset, chance.randbytes(1)),
                f'xen_xenstore+{offset}')

    def test_no_device_from_a_stream(self) -> None:
        """XenStore in a stream asks for no back ends, as a toolstack would on
        Xen: one of its choice could read any file."""
        no_other = ('-nic', 'none')
        data = self.record(
            'xenstore', '', *no_other, '-blockdev',
            'null-co,node-name=null,size=1048576', '-device',
            'xen-disk,drive=null,vdev=xvda')
        waiting = b'state\0\0\0\0\0\x012'       # InitWait
        asking = b'state\0\0\0\0\0\x011'        # Initialising
        self.assertEqual(1, data.count(waiting))
        status, words, tree = self.take(data.replace(waiting, asking),
                                        *no_other)
        self.assertEqual(0, status, words)
        self.assertIn('xen-bus', tree)
        self.assertNotIn('xen-disk', tree)
        self.assertNotIn('xen-disk', words)


if __name__ == '__main__':
    main()
