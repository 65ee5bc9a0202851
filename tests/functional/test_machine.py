#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with our device start, or say clearly why they do not."""

from overlay_test import KprobeCounts, OverlayTest, main
from overlay_test.generation import GFN, HVA, KERNEL, generation
from overlay_test.testcase import ACCEL

LEGACY_MAX_VCPUS = 32
# What KVM goes through when it is told of a place; how often it is for a vCPU;
# how often it is told of the page again because the mode is set, at a reset
# and when the machine starts: before 6.9 that alone writes no wallclock.
ACTIVATIONS = {HVA: ('kvm_gpc_activate_hva', 1, 0),
               GFN: ('kvm_gpc_activate', 1, 1),
               KERNEL: ('kvm_gpc_activate_hva', 0, 0)}


class XenMachine(OverlayTest):
    """Where KVM supports Xen."""

    def start(self, smp: int, machine: str = 'q35') -> None:
        """Start a machine and look at what each vCPU was given."""
        self.launch_xen(smp=str(smp), machine=machine)
        self.assertEqual('running', self.vm.cmd('query-status')['status'])
        self.assertEqual(smp, len(self.vm.cmd('query-cpus-fast')))
        self.vm.shutdown()
        trace = self.overlay_trace()
        self.assertEqual([], trace.failures())
        self.assertEqual(smp, len(trace.texts('attach_vcpu')))
        kvm = generation()
        self.assertEqual([f'shared_info={kvm.shared_info} '
                          f'default_vcpu_info={kvm.default_vcpu_info}'],
                         trace.texts('backends'))
        told = {HVA: ('VCPU_INFO_HVA', smp),
                # Those beyond the last slot have one that the guest does not
                # see, where KVM takes it.
                GFN: ('VCPU_INFO ', min(smp, LEGACY_MAX_VCPUS)),
                KERNEL: ('VCPU_INFO', 0)}
        kind, vcpus = told[kvm]
        # At the start and at the reset that every machine begins with.
        self.assertEqual(2 * vcpus, len([
            text for text in trace.texts('kvm_vcpu_attr') if kind in text]))

    def test_smp_1(self) -> None:
        self.start(1)

    def test_smp_4(self) -> None:
        self.start(4)

    def test_smp_16(self) -> None:
        self.start(16)

    def test_smp_64(self) -> None:
        """More vCPUs than shared_info has slots."""
        self.start(64)

    def test_pc(self) -> None:
        self.start(2, machine='pc')

    def test_hot_plugged_vcpu(self) -> None:
        """A vCPU that comes later is given its slot as well, once."""
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)
        activate, per_vcpu, again = ACTIVATIONS[generation()]
        with KprobeCounts([activate]) as counts:
            self.launch_xen(smp='1,maxcpus=3')
            at_start = 2 * (1 + per_vcpu + again)
            self.assertEqual({activate: at_start}, counts.read())
            free = [slot for slot in self.vm.cmd('query-hotpluggable-cpus')
                    if 'qom-path' not in slot]
            self.assertEqual(2, len(free))
            for number, slot in enumerate(free):
                self.vm.cmd('device_add', driver=slot['type'],
                            id=f'cpu{number}', **slot['props'])
                self.assertEqual(
                    {activate: at_start + per_vcpu * (1 + number)},
                    counts.read())
        self.vm.shutdown()
        trace = self.overlay_trace()
        self.assertEqual(['0', '1', '2'],
                         sorted(trace.field('attach_vcpu', 'vcpu')))
        self.assertEqual([], trace.failures())

    def test_reset_tells_kvm_anew(self) -> None:
        """Once: it writes the wallclock and the time when it is told."""
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)
        activate, per_vcpu, again = ACTIVATIONS[generation()]
        with KprobeCounts([activate]) as counts:
            self.launch_xen(smp='2')
            self.vm.cmd('system_reset')
            self.vm.event_wait('RESET')
            self.assertEqual({activate: 3 * (1 + 2 * per_vcpu + again)},
                             counts.read())

    def refused(self, *arguments: str) -> str:
        """Start a machine that must not; returns what it said."""
        done = self.run_emulator('-accel', ACCEL, '-machine', 'q35',
                                 *arguments)
        self.assertEqual(1, done.returncode, done.stderr)
        return done.stderr

    def test_choice_that_kvm_cannot_serve(self) -> None:
        """Which one it is depends on the generation; what it needs is said."""
        for choice, capability, served in (
                ('shared-info=hva', 'KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA',
                 (HVA, KERNEL)),
                ('default-vcpu-info=hva',
                 'KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA', (HVA,)),
                ('default-vcpu-info=kernel',
                 'a KVM that finds the default vcpu_info', (KERNEL,))):
            if generation() not in served:
                said = self.refused('-global', f'xen-overlay.{choice}')
                self.assertIn(f'{choice} needs {capability}', said)

    def test_choice_that_does_not_exist(self) -> None:
        said = self.refused('-global', 'xen-overlay.shared-info=gpa')
        self.assertIn("does not accept value 'gpa'", said)

    def test_mixed_choices(self) -> None:
        """Each can be chosen by itself."""
        self.launch_xen('-global', 'xen-overlay.shared-info=gfn',
                        '-global', 'xen-overlay.default-vcpu-info=hva',
                        smp='2')
        self.vm.shutdown()
        self.assertEqual(['shared_info=gfn default_vcpu_info=hva'],
                         self.overlay_trace().texts('backends'))

    def test_plain_kvm(self) -> None:
        """Without xen-version there is no such device."""
        self.set_machine('q35')
        self.vm.add_args('-accel', 'kvm', '-trace', 'xen_overlay_*')
        self.vm.launch()
        self.assertEqual('running', self.vm.cmd('query-status')['status'])
        tree = self.vm.cmd('human-monitor-command',
                           command_line='info qtree')
        self.assertNotIn('xen-overlay', tree)
        self.vm.shutdown()
        self.assertEqual([], self.overlay_trace().events)


class OtherMachine(OverlayTest):
    """Where it makes no difference what KVM can do."""

    needs_xen_kvm = False

    def test_device_help(self) -> None:
        said = self.run_emulator('-device', 'xen-overlay,help')
        self.assertEqual(0, said.returncode, said.stderr)
        self.assertIn('shared-info=', said.stdout)
        self.assertIn('default-vcpu-info=', said.stdout)
        self.assertIn('remap-method=', said.stdout)
        self.assertEqual(0, self.run_emulator('-device', 'help').returncode)

    def test_accel_help(self) -> None:
        said = self.run_emulator('-accel', 'help')
        self.assertEqual(0, said.returncode)
        self.assertIn('kvm', said.stdout.split())

    def test_tcg(self) -> None:
        self.set_machine('q35')
        self.vm.add_args('-accel', 'tcg', '-trace', 'xen_overlay_*')
        self.vm.launch()
        self.assertEqual('running', self.vm.cmd('query-status')['status'])
        self.vm.shutdown()
        self.assertEqual([], self.overlay_trace().events)

    def test_kvm_without_xen(self) -> None:
        """QEMU's own message, not ours, and no crash."""
        from nested import xen_kvm
        found = xen_kvm.available()
        if found.usable:
            self.skipTest('this machine\'s KVM supports Xen')
        said = self.run_emulator('-accel', ACCEL, '-machine', 'q35')
        self.assertEqual(1, said.returncode)
        self.assertRegex(said.stderr,
                         'Xen HVM guest support not present|'
                         'Could not access KVM kernel module')


if __name__ == '__main__':
    main()
