#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance checklist, in each way that upcalls and the page can take.

What the items are and what their verdicts mean is in
tests/guest/conformance/README.md; the guest says what failed.
"""

from overlay_test import OverlayTest, main
from conformance.results import BAD, parse

# delivery= of the guest.
VECTOR, UPCALL_VECTOR, GSI, INTX = range(4)

# One for each item that wants a vCPU to itself; and what it takes for the
# items on vCPUs that have no slot in the page.
VCPUS = 8
VCPUS_BEYOND_SLOTS = 34

# Not all races have to be long in all configurations: one is.
SHORT = 100
LONG = 1000

# Items of the host's (C-36, C-37), of the 64-bit width, of a vCPU without a
# slot, of a reset, and of sleep; everything else must have been checked.
HOST = {36, 37}
WIDE = {4, 5, 40, 41}
BEYOND_SLOTS = {31, 32}
RESET = {44}
SLEEP = {45}


class Conformance(OverlayTest):
    """A boot for each: what one does to its machine stays there."""

    def conform(self, delivery: int, skipped: set[int], *arguments: str,
                guest: str = 'conformance', machine: str = 'q35',
                vcpus: int = VCPUS, loops: int = SHORT, seed: int = 1,
                reset: bool = False, sleep: bool = False) -> None:
        """Run all items; just those that are named may be skipped."""
        append = (f'delivery={delivery} loops={loops} seed={seed} '
                  f'cpus={vcpus} reset={int(reset)} sleep={int(sleep)}')
        self.launch_bare_metal(guest, append, *arguments, reboot=reset,
                               machine=machine, smp=str(vcpus))
        self.wait_for(r'VERDICT: .*\n', failure='(?!)')
        results = parse(self.console_text())
        failed = [f'C-{number:02} {result.outcome} {result.details}'
                  for number, result in results.items.items()
                  if result.outcome in BAD]
        self.assertEqual([], failed)
        self.assertEqual(skipped, {
            number for number, result in results.items.items()
            if result.outcome == 'SKIP'})
        self.assertRegex(self.console_text(), 'VERDICT: PASS ')
        self.vm.wait(timeout=60)

    def test_every_item(self) -> None:
        """The one with the most vCPUs, the longest races, sleep and a
        reset."""
        self.conform(VECTOR, HOST, vcpus=VCPUS_BEYOND_SLOTS, loops=LONG,
                     reset=True, sleep=True)

    def test_gfn(self) -> None:
        """KVM told by frame number, as before Linux 6.9."""
        self.conform(VECTOR, HOST | BEYOND_SLOTS | RESET,
                     '-global', 'xen-overlay.shared-info=gfn', seed=2,
                     sleep=True)

    def test_upcall_vector(self) -> None:
        self.conform(UPCALL_VECTOR, HOST | BEYOND_SLOTS | RESET, seed=3,
                     machine='pc', sleep=True)

    def test_gsi(self) -> None:
        """And the page moved by memslots."""
        self.conform(GSI, HOST | BEYOND_SLOTS | RESET | SLEEP,
                     '-global', 'xen-overlay.remap-method=memslot', seed=4)

    def test_intx(self) -> None:
        self.conform(INTX, HOST | BEYOND_SLOTS | RESET | SLEEP,
                     '-global', 'xen-overlay.shared-info=gfn', seed=5,
                     machine='pc')

    def test_32_bits(self) -> None:
        self.conform(VECTOR, HOST | WIDE | BEYOND_SLOTS | RESET | SLEEP,
                     guest='conformance32', seed=6)

    def test_32_bits_gfn(self) -> None:
        self.conform(GSI, HOST | WIDE | BEYOND_SLOTS | RESET | SLEEP,
                     '-global', 'xen-overlay.shared-info=gfn',
                     '-global', 'xen-overlay.remap-method=memslot',
                     guest='conformance32', seed=7, machine='pc')


if __name__ == '__main__':
    main()
