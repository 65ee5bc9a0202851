#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux starts another Linux by kexec, and asks Xen for a soft reset on the
way: the second kernel finds a domain in which nothing is mapped, registered or
bound, and its events flow."""

from pathlib import Path

from overlay_test import main
from overlay_test.load import LoadTest, Questions


class Kexec(LoadTest):
    """From under load into load."""

    def kexec(self, backend: str, smp: str) -> None:
        """The second kernel does what the first did."""
        monitor = Path(self.workdir) / 'monitor'
        self.launch_load('', '-global', f'xen-overlay.shared-info={backend}',
                         *Questions.arguments(monitor),
                         '-trace', 'kvm_xen_soft_reset',
                         smp=smp, initrd='initrd-kexec')
        self.wait_for_load('guest: ready')
        self.goes_on()
        before = self.vm.cmd('query-xen-overlay')
        with Questions(monitor) as questions:
            self.command('kexec')
            self.wait_for_load('guest: .*Hypervisor detected: Xen HVM')
            self.wait_for_load(f'guest: vcpus: {smp}\r?\n')
            self.wait_for_load('guest: clocksource: xen')
            self.wait_for_load('guest: ready')
            self.goes_on()
        self.assertGreater(questions.asked, 0)

        # Each vCPU has its ticks and IPIs, by events.
        self.command('interrupts')
        for vcpu in range(int(smp)):
            for kind in ('timer', 'resched')[:1 if smp == '1' else 2]:
                line = self.wait_for_load(
                    rf'guest: +\d+:([ \d]+) xen-percpu +-\w+ +'
                    rf'{kind}{vcpu}\r?\n')
                counts = [int(count) for count in line.group(1).split()]
                self.assertGreater(counts[vcpu], 0, line.group(0))

        after = self.vm.cmd('query-xen-overlay', verify=True)
        self.assertTrue(after['kernel-agrees'], after)
        gone_through = {name: after['stats'][name] - before['stats'][name]
                        for name in ('maps', 'unmaps', 'registrations',
                                     'rejected', 'kvm-errors')}
        self.assertEqual({'maps': 1, 'unmaps': 1, 'registrations': int(smp),
                          'rejected': 0, 'kvm-errors': 0}, gone_through)
        self.vm.cmd('quit')
        self.vm.wait(timeout=60)
        self.assertEqual([], self.overlay_trace().failures())

    def test_1_vcpu(self) -> None:
        self.kexec('auto', '1')

    def test_4_vcpus(self) -> None:
        self.kexec('auto', '4')

    def test_4_vcpus_gfn(self) -> None:
        self.kexec('gfn', '4')


if __name__ == '__main__':
    main()
