#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that look at the overlay say what the guest says."""

import json
import re
import subprocess
from typing import Any

from overlay_test import ExecuteError, KprobeCounts, OverlayTest, main
from overlay_test.environment import REMAP_METHOD, XEN_INSPECT
from overlay_test.generation import GFN, generation

VCPUS = 3
SLOT = 64

GET_ATTR = ['kvm_xen_hvm_get_attr', 'kvm_xen_vcpu_get_attr']
# What any question to KVM goes through.
IOCTLS = ['kvm_vm_ioctl', 'kvm_vcpu_ioctl']


def without_words(info: dict[str, Any], *words: str) -> dict[str, Any]:
    """The answer without these members."""
    return {key: value for key, value in info.items() if key not in words}


class BareMetal(OverlayTest):
    """Against a guest that stands still and has said where things are."""

    def query(self, name: str, **arguments: Any) -> Any:
        return self.vm.cmd(f'query-xen-{name}', **arguments)

    def launch_remap(self, options: str = 'wait=1 loops=10',
                     backend: str = 'auto', smp: int = VCPUS) -> None:
        self.launch_bare_metal(
            'remap', options, '-global', f'xen-overlay.shared-info={backend}',
            smp=f'{smp},maxcpus={smp + 1}')

    def start(self, backend: str) -> int:
        """Start the guest; returns where it says it mapped the page."""
        self.launch_remap(backend=backend)
        self.version = int(self.wait_for(r'wc_version (\d+)\n').group(1))
        return int(self.wait_for(r'READY mapped=0x(\w+)\n').group(1), 16)

    def look(self, backend: str, default: str) -> None:
        """All that the commands say of the standing guest."""
        gpa = self.start(backend)
        overlay = self.query('overlay', verify=True)
        self.assertEqual(
            {'enabled': True, 'broken': False,
             'shared-info-backend': backend,
             'default-vcpu-info-backend': default, 'long-mode': True,
             'shared-info-gpa': gpa,
             'remap-method': REMAP_METHOD or 'host-page',
             'kernel-agrees': True, 'differences': []},
            without_words(overlay, 'stats', 'capabilities'))
        self.assertIn('shared-info', overlay['capabilities'])
        self.assertEqual(
            {'maps': 1, 'unmaps': 0, 'registrations': 0, 'rejected': 0,
             'kvm-errors': 0},
            without_words(overlay['stats'], 'shared-info-sets',
                          'vcpu-info-sets'))
        # At the start, and at the reset that every machine begins with.
        self.assertEqual(2, overlay['stats']['shared-info-sets'])
        self.assertEqual(0 if default == 'kernel' else 2 * VCPUS,
                         overlay['stats']['vcpu-info-sets'])

        page = self.query('shared-info')
        self.assertEqual(gpa, page['gpa'])
        self.assertTrue(page['long-mode'])
        self.assertEqual(self.version, page['wallclock']['version'])
        self.assertEqual([], page['pending-ports'])
        # Nothing has masked a port yet.
        self.assertEqual(list(range(4096)), page['unmasked-ports'])

        vcpus = self.query('vcpu-info')
        self.assertEqual(list(range(VCPUS)),
                         [vcpu['cpu-index'] for vcpu in vcpus])
        for number, vcpu in enumerate(vcpus):
            self.assertEqual('default-slot', vcpu['source'])
            self.assertEqual(gpa + SLOT * number, vcpu['gpa'])
            self.assertEqual(0, vcpu['pending-sel'])
            self.assertFalse(vcpu['upcall-pending'])
        clock = vcpus[0]['time']
        self.assertGreater(clock['version'], 0)
        self.assertEqual(0, clock['version'] % 2)
        self.assertGreater(clock['tsc-to-system-mul'], 0)
        self.assertEqual([vcpus[1]], self.query('vcpu-info', **{
            'cpu-index': 1}))

        self.send_byte()
        self.wait_for(r'DONE loops=10\n')
        # An even number of moves, so it is where it was.
        after = self.query('overlay', verify=True)
        self.assertEqual(11, after['stats']['maps'])
        self.assertEqual(gpa, after['shared-info-gpa'])
        self.assertTrue(after['kernel-agrees'])

    def test_hva(self) -> None:
        self.look('hva', generation().default_vcpu_info)

    def test_gfn(self) -> None:
        self.look('gfn', 'gpa')

    def test_what_the_guest_left_there(self) -> None:
        """Ports, selector, upcall and wallclock, as the guest says them."""
        self.launch_remap('plant=1 wait=1 loops=2')
        said = self.wait_for(r'PLANTED port=(\d+) sel=0x(\w+) wc_sec=(\d+) '
                             r'wc_nsec=(\d+)\n')
        self.wait_for(r'READY mapped=\S+\n')
        page = self.query('shared-info')
        self.assertEqual([int(said.group(1))], page['pending-ports'])
        self.assertEqual(list(range(64, 4096)), page['unmasked-ports'])
        self.assertEqual(int(said.group(3)), page['wallclock']['seconds'])
        self.assertEqual(int(said.group(4)), page['wallclock']['nanoseconds'])
        vcpus = self.query('vcpu-info')
        self.assertEqual([0, int(said.group(2), 16), 0],
                         [vcpu['pending-sel'] for vcpu in vcpus])
        self.assertEqual([False, True, False],
                         [vcpu['upcall-pending'] for vcpu in vcpus])
        self.send_byte()
        self.wait_for(r'DONE loops=2\n')
        # It went with the page.
        self.assertEqual(page['pending-ports'],
                         self.query('shared-info')['pending-ports'])

    def test_verify_finds_a_difference(self) -> None:
        """A guest that writes the hypercall MSR changes the mode in KVM;
        QEMU hears of it with the next hypercall that reaches it."""
        self.launch_remap('latch=1 loops=2')
        self.wait_for(r'LATCHED\n')
        info = self.query('overlay', verify=True)
        self.assertTrue(info['long-mode'])
        self.assertFalse(info['kernel-agrees'])
        self.assertEqual([{'attribute': 'long-mode', 'expected': 1,
                           'actual': 0}], info['differences'])
        self.assertIn('long-mode: expected 0x1, is 0x0',
                      self.hmp('info xen-overlay -v'))
        # Looking did not tell QEMU.
        self.assertTrue(self.query('overlay')['long-mode'])
        self.send_byte()
        self.end_of_bare_metal()

    def test_looking_asks_nobody(self) -> None:
        """Without verify no ioctl is made; with it, only questions."""
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)
        self.start('auto')
        self.vm.cmd('stop')     # or the vCPUs' KVM_RUN would be counted
        with KprobeCounts(GET_ATTR + IOCTLS) as counts:
            before = counts.read()
            for _ in range(10):
                self.query('overlay')
                self.query('shared-info')
                self.query('vcpu-info')
            self.assertEqual(before, counts.read())
            self.query('overlay', verify=True)
            after = counts.read()
        # The mode, and the page by frame and, where there is such a thing,
        # by host address; two kinds of address for each vCPU.
        self.assertEqual(2 if generation() is GFN else 3,
                         after[GET_ATTR[0]] - before[GET_ATTR[0]])
        self.assertEqual(2 * VCPUS, after[GET_ATTR[1]] - before[GET_ATTR[1]])

    def test_bad_arguments(self) -> None:
        self.start('auto')
        for name, arguments, said in (
                ('vcpu-info', {'cpu-index': VCPUS}, 'There is no vCPU'),
                ('vcpu-info', {'cpu-index': -1}, 'There is no vCPU'),
                ('vcpu-info', {'cpu-index': 1 << 40}, 'There is no vCPU'),
                ('vcpu-info', {'cpu-index': 'one'}, 'cpu-index'),
                ('vcpu-info', {'cpu': 0}, 'unexpected'),
                ('overlay', {'verify': 1}, 'verify'),
                ('shared-info', {'gpa': 1}, 'unexpected')):
            with self.assertRaisesRegex(ExecuteError, said) as raised:
                self.query(name, **arguments)
            self.assertEqual('GenericError', raised.exception.error_class)

    def test_while_the_guest_moves_the_page(self) -> None:
        """And while it is reset, again and again."""
        self.launch_bare_metal('remap', 'loops=100000', smp=str(VCPUS),
                               reboot=True)
        seen = set()
        for round_ in range(2):
            self.wait_for(r'READY mapped=\S+\n')
            for _ in range(15):
                overlay = self.query('overlay', verify=True)
                self.assertTrue(overlay['kernel-agrees'], overlay)
                seen.add(overlay.get('shared-info-gpa'))
                self.query('shared-info')
                self.assertEqual(VCPUS, len(self.query('vcpu-info')))
            self.assertGreater(overlay['stats']['maps'], round_)
            self.vm.cmd('system_reset')
            self.query('vcpu-info')
        # It was seen at both places.
        self.assertGreaterEqual(len(seen - {None}), 2)

    def test_hot_plugged_vcpu(self) -> None:
        self.start('auto')
        slot, = [slot for slot in self.vm.cmd('query-hotpluggable-cpus')
                 if 'qom-path' not in slot]
        self.vm.cmd('device_add', driver=slot['type'], id='late',
                    **slot['props'])
        vcpus = self.query('vcpu-info')
        self.assertEqual(VCPUS + 1, len(vcpus))
        self.assertEqual('default-slot', vcpus[-1]['source'])
        self.assertTrue(self.query('overlay', verify=True)['kernel-agrees'])

    def test_more_vcpus_than_slots(self) -> None:
        self.launch_remap(smp=34)
        self.wait_for(r'READY mapped=\S+\n')
        vcpus = self.query('vcpu-info')
        self.assertEqual(
            {'cpu-index': 33, 'vcpu-id': 33, 'source': 'none',
             'upcall-vector': 0}, vcpus[33])
        self.assertEqual('default-slot', vcpus[31]['source'])
        self.assertTrue(self.query('overlay', verify=True)['kernel-agrees'])

    def hmp(self, command: str) -> str:
        return self.vm.cmd('human-monitor-command', command_line=command)

    def test_hmp(self) -> None:
        """For people: the same, aligned, on a screen of 80 columns."""
        gpa = self.start('auto')
        said = self.hmp('info xen-overlay -v')
        self.assertRegex(said, rf'mapped at +{hex(gpa)}\r?\n')
        self.assertRegex(said, r'KVM agrees +yes')
        said += self.hmp('info xen-vcpu-info')
        for line in said.splitlines():
            self.assertLessEqual(len(line), 80, line)
        said = self.hmp('info xen-shared-info')
        self.assertRegex(said, r'unmasked ports +0-4095')
        self.assertRegex(said, r'pending ports +none')
        said = self.hmp('info xen-vcpu-info')
        self.assertEqual(1 + VCPUS, len(said.splitlines()))
        self.assertEqual(2, len(self.hmp('info xen-vcpu-info 1')
                                .splitlines()))
        self.assertIn('There is no vCPU', self.hmp('info xen-vcpu-info 99'))

    def inspect(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The viewer, as somebody at a terminal starts it."""
        return subprocess.run([str(XEN_INSPECT), *arguments],
                              capture_output=True, text=True, check=False)

    def test_viewer(self) -> None:
        """tools/xen-inspect, by a QMP socket of its own."""
        socket = f'{self.socket_dir().name}/qmp'
        self.launch_bare_metal('remap', 'wait=1 loops=2', '-qmp',
                               f'unix:{socket},server=on,wait=off', smp='2')
        gpa = int(self.wait_for(r'READY mapped=0x(\w+)\n').group(1), 16)
        said = self.inspect('--verify', socket)
        self.assertEqual(0, said.returncode, said.stderr)
        self.assertIn(f'mapped at {gpa:#x}', said.stdout)
        self.assertIn('KVM has all as QEMU believes', said.stdout)
        said = self.inspect('--json', socket)
        self.assertEqual(self.query('vcpu-info'),
                         json.loads(said.stdout)['query-xen-vcpu-info'])
        self.vm.shutdown()
        said = self.inspect(socket)
        self.assertNotEqual(0, said.returncode)
        self.assertIn(socket, said.stderr)

    def test_inject_at_a_bad_port(self) -> None:
        """It gives its error, and touches nothing."""
        self.start('auto')
        for port in (0, 4096, 0xffffffff):
            with self.assertRaisesRegex(ExecuteError, 'Invalid port'):
                self.vm.cmd('xen-event-inject', port=port)
        self.assertEqual([], self.query('shared-info')['pending-ports'])
        self.vm.cmd('xen-event-list')


class Linux(OverlayTest):
    """Against a Linux guest."""

    def test_linux(self) -> None:
        self.launch_linux('then=wait', smp='2')
        self.wait_for('guest: done')
        overlay = self.vm.cmd('query-xen-overlay', verify=True)
        self.assertTrue(overlay['kernel-agrees'], overlay)
        self.assertEqual(2, overlay['stats']['registrations'])
        vcpus = self.vm.cmd('query-xen-vcpu-info')
        gfns = self.overlay_trace_so_far('register_vcpu_info', 'gfn')
        offsets = self.overlay_trace_so_far('register_vcpu_info', 'offset')
        self.assertEqual(
            [(int(gfn, 16) << 12) + int(offset)
             for gfn, offset in zip(gfns, offsets)],
            [vcpu['gpa'] for vcpu in vcpus])
        for vcpu in vcpus:
            self.assertEqual('registered', vcpu['source'])
            self.assertGreater(vcpu['time']['version'], 0)
        # QEMU's list of ports and the page agree.
        self.vm.cmd('stop')
        page = self.vm.cmd('query-xen-shared-info')
        listed = self.vm.cmd('xen-event-list')
        self.assertEqual(
            [port['port'] for port in listed if not port['masked']],
            page['unmasked-ports'])
        self.assertGreater(len(page['unmasked-ports']), 2)
        self.assertEqual(
            [port['port'] for port in listed if port['pending']],
            page['pending-ports'])

    def overlay_trace_so_far(self, event: str, key: str) -> list[str]:
        """A field of the events that QEMU has logged until now."""
        log = open(self.vm._qemu_log_path, encoding='utf-8').read()
        return re.findall(rf'xen_overlay_{event} .*\b{key}=(\S+)', log)


class WithoutXen(OverlayTest):
    """On a machine that does not emulate Xen."""

    needs_xen_kvm = False

    def test_not_enabled(self) -> None:
        self.set_machine('q35')
        self.vm.add_args('-accel', 'tcg')
        self.vm.launch()
        for verify in (False, True):
            self.assertEqual({'enabled': False}, self.vm.cmd(
                'query-xen-overlay', verify=verify))
        for name in ('query-xen-shared-info', 'query-xen-vcpu-info'):
            with self.assertRaisesRegex(ExecuteError,
                                        'does not emulate Xen') as raised:
                self.vm.cmd(name)
            self.assertEqual('GenericError', raised.exception.error_class)
        self.assertIn('does not emulate Xen', self.vm.cmd(
            'human-monitor-command', command_line='info xen-overlay'))

    def test_schema(self) -> None:
        """Clients find the commands where they look for them."""
        self.set_machine('q35')
        self.vm.add_args('-accel', 'tcg')
        self.vm.launch()
        names = {entry['name'] for entry in self.vm.cmd('query-qmp-schema')
                 if entry['meta-type'] == 'command'}
        self.assertLessEqual({'query-xen-overlay', 'query-xen-shared-info',
                              'query-xen-vcpu-info'}, names)


if __name__ == '__main__':
    main()
