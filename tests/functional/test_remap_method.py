#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How shared_info is moved: by a memory region, or by the host's page.

The bare-metal guest checks with every remap that the page came along and
that the RAM it left is as it was; here it is seen which way that went, what
it cost in KVM, and that the way by the host's page ends where somebody else
is to use the RAM behind it.
"""

import re
import resource
import tempfile
import time
from pathlib import Path

from overlay_test import (ExecuteError, KprobeCounts, OverlayTest, edu,
                          main)
from overlay_test.edu import Edu
from overlay_test.migration import BETWEEN, MigrationTest
from overlay_test.testcase import ACCEL

REMAPS = 100
PAGE = 4096

# With fewer than a process has, Linux moves none of its mappings.
MOST_MAPPINGS = Path('/proc/sys/vm/max_map_count')

# Not what they are called by, or call: that was renamed, or is inlined, in one
# kernel or another.
MEMSLOTS = 'kvm_arch_commit_memory_region'
ZAPS = 'kvm_arch_flush_shadow_memslot'


class RemapMethodTest(OverlayTest):
    """A guest that moves the page, and questions to its machine."""

    has_remap_method = True

    def start(self, *arguments: str, method: str = 'auto',
              loops: int = REMAPS, smp: str = '4') -> int:
        """Start the guest up to its first map; returns where that is."""
        self.launch_bare_metal(
            'remap', f'loops={loops} wait=1', *arguments,
            '-global', f'xen-overlay.remap-method={method}', smp=smp)
        return self.ready()

    def ready(self) -> int:
        return int(self.wait_for(r'READY mapped=(\S+)\n').group(1), 16)

    def finish(self, loops: int = REMAPS) -> None:
        """Let the guest do its remaps, and have it be content."""
        self.remaps(loops)
        self.send_byte()
        self.end_of_bare_metal()

    def remaps(self, loops: int = REMAPS) -> None:
        self.send_byte()
        self.wait_for(rf'DONE loops={loops}\n')

    def method(self) -> str:
        """The method that is in use now."""
        return self.vm.cmd('query-xen-overlay')['remap-method']

    def guest_page(self, gpa: int) -> bytes:
        """A page of guest memory, as QEMU sees it by guest address."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / 'page'
            self.vm.cmd('pmemsave', val=gpa, size=PAGE, filename=str(file))
            return file.read_bytes()

    def region_shows(self, gpa: int) -> bool:
        """Whether a memory region has the page there.  (It may have another
        place, which is the window of docs/adr/0008.)"""
        tree = self.vm.cmd('human-monitor-command', command_line='info mtree')
        return re.search(rf'^ *{gpa:016x}-.*xen:shared_info', tree,
                         re.M) is not None


class Method(RemapMethodTest):
    """Which one is used."""

    def counts(self, method: str) -> dict[str, int]:
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)
        with KprobeCounts([MEMSLOTS, ZAPS]) as counts:
            self.start(method=method)
            before = counts.read()
            self.remaps()
            after = counts.read()
        self.send_byte()
        self.end_of_bare_metal()
        during = {name: after[name] - before[name] for name in after}
        print(f'{method}: by {REMAPS} remaps {during}')
        return during

    def test_host_page_leaves_memslots_alone(self) -> None:
        self.assertEqual({MEMSLOTS: 0, ZAPS: 0}, self.counts('auto'))

    def test_memslot_does_not(self) -> None:
        """So the test above can fail."""
        during = self.counts('memslot')
        self.assertLess(REMAPS, during[MEMSLOTS])
        self.assertLess(REMAPS, during[ZAPS])

    def test_auto(self) -> None:
        """The host's page, for the RAM that QEMU makes by default."""
        gpa = self.start()
        self.assertEqual('host-page', self.method())
        # By guest address it is the page: what the guest keeps in it.
        self.assertIn(b'kram', self.guest_page(gpa))
        self.assertFalse(self.region_shows(gpa))
        self.finish()
        trace = self.overlay_trace()
        self.assertEqual([], trace.failures())
        self.assertEqual(REMAPS + 1, len(trace.texts('host_page_show')))
        # From one place to the other: at no time was it at none.
        self.assertEqual([], trace.texts('host_page_hide'))

    def test_memslot(self) -> None:
        gpa = self.start(method='memslot')
        self.assertEqual('memslot', self.method())
        self.assertIn(b'kram', self.guest_page(gpa))
        self.assertTrue(self.region_shows(gpa))
        self.finish()
        trace = self.overlay_trace()
        self.assertEqual([], trace.texts('host_page_show'))

    def test_thousands(self) -> None:
        self.start(loops=5000)
        self.finish(loops=5000)
        self.assertEqual([], self.overlay_trace().failures())

    def test_by_guest_frame(self) -> None:
        """A KVM that is told guest frames finds the page there as well."""
        self.start('-global', 'xen-overlay.shared-info=gfn')
        self.assertEqual('host-page', self.method())
        self.finish()

    def test_reset(self) -> None:
        """After a reset RAM is RAM, and the next boot starts anew."""
        self.launch_bare_metal('remap', f'loops={REMAPS} wait=1', reboot=True)
        gpa = self.ready()
        self.assertEqual('host-page', self.method())
        self.vm.cmd('stop')
        self.vm.cmd('system_reset')
        self.vm.event_wait('RESET')
        info = self.vm.cmd('query-xen-overlay')
        self.assertNotIn('shared-info-gpa', info)
        self.assertEqual('memslot', info['remap-method'])
        self.assertNotIn(b'kram', self.guest_page(gpa))
        self.vm.cmd('cont')
        self.ready()
        self.finish()


class Unfit(RemapMethodTest):
    """RAM for which it will not do."""

    SHARED = ('-machine', 'memory-backend=ram', '-object',
              'memory-backend-memfd,id=ram,size=256M')

    def falls_back(self, reason: str, *arguments: str) -> None:
        self.start(*arguments)
        self.assertEqual('memslot', self.method())
        self.finish()
        refused = self.overlay_trace().texts('host_page_refused')
        self.assertEqual(REMAPS + 1, len(refused))
        self.assertIn(reason, refused[0])

    def test_memfd(self) -> None:
        self.falls_back('not private anonymous memory', *self.SHARED)

    def test_shared(self) -> None:
        self.falls_back(
            'not private anonymous memory', '-machine', 'memory-backend=ram',
            '-object', 'memory-backend-ram,id=ram,size=256M,share=on')

    def test_asked_for(self) -> None:
        """An error at start, not a surprise later."""
        said = self.run_emulator(
            '-accel', ACCEL, '-m', '256', *self.SHARED,
            '-global', 'xen-overlay.remap-method=host-page')
        self.assertEqual(1, said.returncode)
        self.assertIn('remap-method=host-page cannot be used on this machine: '
                      'RAM is not private anonymous memory', said.stderr)

    def test_asked_for_and_fit(self) -> None:
        self.start(method='host-page')
        self.assertEqual('host-page', self.method())
        self.finish()

    def test_numa(self) -> None:
        """RAM in two pieces, of which one will do."""
        self.start('-object', 'memory-backend-ram,id=a,size=128M',
                   '-object', 'memory-backend-memfd,id=b,size=128M',
                   '-numa', 'node,memdev=a', '-numa', 'node,memdev=b',
                   method='host-page')
        self.assertEqual('host-page', self.method())
        self.finish()

    def test_no_address_space_left(self) -> None:
        """The kernel refuses, and the guest does not notice."""
        self.start()
        pid = self.vm.get_pid()
        size = int(re.search(r'VmSize:\s+(\d+) kB', Path(
            f'/proc/{pid}/status').read_text()).group(1)) * 1024
        unlimited = resource.prlimit(pid, resource.RLIMIT_AS, (size - 1,) * 2)
        self.remaps()
        resource.prlimit(pid, resource.RLIMIT_AS, unlimited)
        self.assertEqual('memslot', self.method())
        self.send_byte()
        self.end_of_bare_metal()
        refused = self.overlay_trace().texts('host_page_refused')
        self.assertEqual(REMAPS, len(refused))
        self.assertIn('Cannot allocate memory', refused[0])


class OtherUse(RemapMethodTest, MigrationTest):
    """It ends where RAM is to be used behind the guest's back."""

    def ended(self) -> list[str]:
        return self.overlay_trace().texts('host_page_end')

    def migrates(self, *capabilities: str) -> None:
        """RAM and the page arrive, and both methods go on there."""
        capability = [{'capability': name, 'state': True}
                      for name in capabilities]
        with tempfile.TemporaryDirectory() as folder:
            gpa = self.start()
            self.assertEqual('host-page', self.method())
            page = self.guest_page(gpa)
            self.vm.cmd('migrate-set-capabilities', capabilities=capability)
            self.vm.cmd('migrate', uri=f'file:{folder}/stream')
            self.wait_for_migration(self.vm)
            self.assertEqual('memslot', self.method())
            self.assertEqual(gpa, self.vm.cmd('query-xen-overlay')[
                'shared-info-gpa'])
            self.vm.shutdown()
            self.assertEqual(1, len(self.ended()))

            self.leave_machine()
            self.launch_bare_metal('remap', '', '-incoming', 'defer', smp='4')
            self.vm.cmd('migrate-set-capabilities', capabilities=capability)
            self.vm.cmd('migrate-incoming', uri=f'file:{folder}/stream')
            self.wait_for_migration(self.vm)
            self.assertEqual('memslot', self.method())
            # The wallclock is written anew when the machine runs.
            self.assertEqual(page[0xff0:], self.guest_page(gpa)[0xff0:])
            if self.vm.cmd('query-status')['status'] == 'paused':
                self.vm.cmd('cont')
            self.remaps()
            self.assertEqual('host-page', self.method())
            self.send_byte()
            self.end_of_bare_metal()

    def test_migration(self) -> None:
        self.migrates()

    def test_nothing_is_seen_of_the_end(self) -> None:
        """The page has its memslot before the RAM behind it comes back."""
        gpa = self.start('-trace', 'kvm_set_user_memory')
        self.assertEqual('host-page', self.method())
        self.vm.cmd('migrate', uri=f'file:{self.path("stream")}')
        self.wait_for_migration(self.vm)
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        log = self.vm.get_log() or ''
        hidden = log.rindex('xen_overlay_host_page_hide')
        # Since the guest mapped it; that was the last of what it did.
        before = log[log.rindex('xen_overlay_host_page_show'):hidden]
        self.assertRegex(before, rf'kvm_set_user_memory .*gpa=0x{gpa:x} '
                                 'size=0x1000 ')

    def test_background_snapshot(self) -> None:
        """It write-protects RAM instead of tracking it."""
        self.migrates('background-snapshot')

    def test_snapshot(self) -> None:
        """The RAM below is in it, and comes back from it."""
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(1 << 20)
            gpa = self.start('-blockdev', 'file,node-name=file,filename='
                             + file.name)
            self.job('blockdev-create', options={
                'driver': 'qcow2', 'file': 'file', 'size': 1 << 20})
            self.vm.cmd('blockdev-add', **{
                'driver': 'qcow2', 'node-name': 'disk', 'file': 'file'})
            self.assertEqual('host-page', self.method())
            snapshot = {'tag': 'ready', 'vmstate': 'disk',
                        'devices': ['disk']}
            self.job('snapshot-save', **snapshot)
            self.assertEqual('memslot', self.method())
            self.remaps()
            self.assertEqual('host-page', self.method())
            self.job('snapshot-load', **snapshot)
            self.assertEqual('memslot', self.method())
            self.assertEqual(gpa, self.vm.cmd('query-xen-overlay')[
                'shared-info-gpa'])
            self.vm.cmd('cont')
            self.remaps()
            self.assertEqual('host-page', self.method())
            self.send_byte()
            self.end_of_bare_metal()

    def test_dirty_rate(self) -> None:
        """Tracking by the bitmap ends it; without, it comes back."""
        self.start()
        self.assertEqual('host-page', self.method())
        self.vm.cmd('calc-dirty-rate', **{'calc-time': 1,
                                          'mode': 'dirty-bitmap'})
        while self.vm.cmd('query-dirty-rate')['status'] != 'measured':
            time.sleep(BETWEEN)
        self.assertEqual('memslot', self.method())
        self.remaps()
        self.assertEqual('host-page', self.method())
        self.send_byte()
        self.end_of_bare_metal()
        self.assertEqual(1, len(self.ended()))

    def test_dump(self) -> None:
        """A dump has at each address what the guest has there."""
        for method in ('host-page', 'memslot'):
            with tempfile.TemporaryDirectory() as folder:
                gpa = self.start(method=method)
                self.assertEqual(method, self.method())
                self.vm.cmd('stop')
                self.vm.cmd('dump-guest-memory', paging=False,
                            protocol=f'file:{folder}/dump')
                dump = (Path(folder) / 'dump').read_bytes()
                self.assertEqual(self.guest_page(gpa), in_dump(dump, gpa))
                self.vm.cmd('cont')
                self.finish()
            self.leave_machine()


class Pinned(RemapMethodTest):
    """RAM that VFIO has pinned: a device that was given to the guest reaches
    the pages that were there then, and no others."""

    needs_vfio = True

    # RAM that the guest does not use, and not the firmware either.
    THROUGH = 128 << 20

    # Between two frames: an odd number, and the page is not where it was.
    LOOPS = REMAPS + 1

    def setUp(self) -> None:
        super().setUp()
        address = edu.take()
        if address is None:
            self.skipTest('there is no edu device behind an IOMMU')
        self.device = Edu.device(address)
        self.edu = self.enterContext(Edu(Path(
            self.enterContext(tempfile.TemporaryDirectory()))))

    def start_with_edu(self, *arguments: str) -> int:
        """The guest, where a device can be added to it."""
        self.launch_bare_metal(
            'remap', f'loops={self.LOOPS} wait=1', *self.edu.arguments(),
            *arguments, machine='pc', smp='4', reboot=True)
        self.edu.connect()
        return self.ready()

    def dma_is_the_guests(self, *gpas: int) -> None:
        """At each address, DMA reads what the guest does."""
        for gpa in gpas:
            self.assertEqual(self.edu.memory(gpa),
                             self.edu.read(gpa, self.THROUGH), hex(gpa))

    def ram_is_ram(self, gpa: int) -> None:
        """DMA to where the page was reaches what the guest has there now."""
        self.assertNotEqual(
            gpa, self.vm.cmd('query-xen-overlay').get('shared-info-gpa'))
        self.dma_is_the_guests(gpa)
        pattern = bytes(range(256)) * (PAGE // 256)
        self.edu.write(gpa, pattern, self.THROUGH)
        self.assertEqual(pattern, self.edu.memory(gpa))

    def test_from_the_start(self) -> None:
        device = ','.join(f'{key}={value}' if key != 'driver' else value
                          for key, value in self.device.items())
        gpa = self.start_with_edu('-device', device)
        self.edu.set_up()
        self.assertEqual('memslot', self.method())
        self.dma_is_the_guests(gpa)
        self.remaps(self.LOOPS)
        self.assertEqual('memslot', self.method())
        self.ram_is_ram(gpa)
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        refused = self.overlay_trace().texts('host_page_refused')
        self.assertEqual(self.LOOPS + 1, len(refused))
        self.assertIn('RAM is pinned', refused[0])

    def test_added_later(self) -> None:
        """The page and the RAM below change places before RAM is pinned."""
        gpa = self.start_with_edu()
        self.assertEqual('host-page', self.method())
        self.vm.cmd('device_add', self.device)
        self.assertEqual('memslot', self.method())
        self.assertTrue(self.region_shows(gpa))
        self.edu.set_up()
        self.dma_is_the_guests(gpa)
        self.remaps(self.LOOPS)
        self.assertEqual('memslot', self.method())
        self.ram_is_ram(gpa)
        self.dma_is_the_guests(
            self.vm.cmd('query-xen-overlay')['shared-info-gpa'])
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        ended = self.overlay_trace().texts('host_page_end')
        self.assertEqual(1, len(ended))
        self.assertIn('RAM is to be pinned', ended[0])

    def test_reset(self) -> None:
        """The RAM below comes back to where VFIO was told that the page is."""
        gpa = self.start_with_edu()
        self.assertEqual('host-page', self.method())
        self.vm.cmd('device_add', self.device)
        self.vm.cmd('stop')
        self.vm.cmd('system_reset')
        self.vm.event_wait('RESET')
        self.edu.set_up()
        self.ram_is_ram(gpa)

    def test_ram_cannot_come_back(self) -> None:
        """Then nothing is pinned, and all stays as it is; and later it can."""
        gpa = self.start_with_edu()
        before = MOST_MAPPINGS.read_text()
        MOST_MAPPINGS.write_text('1')
        try:
            with self.assertRaisesRegex(ExecuteError, 'discarding of RAM'):
                self.vm.cmd('device_add', self.device)
        finally:
            MOST_MAPPINGS.write_text(before)
        self.assertEqual('host-page', self.method())
        self.assertFalse(self.region_shows(gpa))
        self.assertIn(b'kram', self.guest_page(gpa))
        self.vm.cmd('device_add', self.device)
        self.assertEqual('memslot', self.method())
        self.edu.set_up()
        self.remaps(self.LOOPS)
        self.ram_is_ram(gpa)
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        self.assertIn('cannot take shared_info out of guest RAM',
                      self.vm.get_log())


def in_dump(dump: bytes, gpa: int) -> bytes | None:
    """The page at `gpa` in an ELF64 core."""
    def number(at: int, size: int) -> int:
        return int.from_bytes(dump[at:at + size], 'little')

    table, entry, entries = number(32, 8), number(54, 2), number(56, 2)
    for header in range(table, table + entry * entries, entry):
        offset, start, size = (number(header + field, 8)
                               for field in (8, 24, 32))
        if number(header, 4) == 1 and start <= gpa < start + size:
            return dump[offset + gpa - start:][:PAGE]
    return None


if __name__ == '__main__':
    main()
