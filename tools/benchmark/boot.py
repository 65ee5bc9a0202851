# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "boot": a Linux guest to its user space, and by kexec to that of
another one."""

from __future__ import annotations

from pathlib import Path

from .part import INSTRUCTIONS, MOST_MIB, Configuration, Measure, Part, size
from .samples import Samples
from .variant import STOCK, Variant

LINUX_GUEST = Path(__file__).resolve().parents[2] / 'build/linux-guest'
FILES = ('vmlinuz', 'initrd-kexec', 'append')
# On the one CPU of the host's, vCPUs that come up must not wait for each other
# busily: neither all at once for the first one, nor to count how often a loop
# goes round in some ticks that the first one hears. That is 2.5 G instructions
# for each, and what comes out says how they shared the CPU.
OPTIONS = 'cpuhp.parallel=off lpj=2000000 then=commands'
# Where a run takes minutes.
HEAVY_VCPUS = 16
# With so many, stock QEMU's guest does not come to its user space: a vCPU waits
# for others to have heard an IPI, and all of them are idle.
NEVER_ON_STOCK = 64


class Boot(Part):
    """The kernel is Debian's, which is what such a guest would be."""
    name = 'boot'
    title = 'a Linux guest boots'
    measures = (
        Measure('boot', 'from the start of the emulator to user space',
                INSTRUCTIONS),
        Measure('kexec', 'from `kexec -e` to user space', INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        by_vcpus: list[Configuration] = [
            {'vcpus': vcpus, 'memory': 512} for vcpus in (1, 4, 16, 64)]
        return by_vcpus[:1] if quick else [
            *by_vcpus, {'vcpus': 1, 'memory': MOST_MIB}]

    def repeats(self, configuration: Configuration, variant: str,
                asked: int) -> int:
        vcpus, _ = size(configuration)
        if variant == STOCK and vcpus >= NEVER_ON_STOCK:
            return 0
        return 1 if vcpus >= HEAVY_VCPUS else asked

    def files(self) -> list[Path]:
        import linux_guest

        linux_guest.prepare()
        linux_guest.prepare_kexec()
        return [LINUX_GUEST / name for name in FILES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import Guest, machine
        from .host_clock import now

        vcpus, memory = size(configuration)
        append = f'{(LINUX_GUEST / "append").read_text()} {OPTIONS}'
        before = now()
        with Guest(machine(
                variant, vcpus, memory,
                '-kernel', str(LINUX_GUEST / 'vmlinuz'),
                '-initrd', str(LINUX_GUEST / 'initrd-kexec'),
                '-append', append, '-no-reboot')) as guest:
            guest.wait_for('guest: ')
            boot = now() - before
            guest.wait_for('guest: ready\r?\n')
            before = now()
            guest.say('kexec\n')
            guest.wait_for('guest: ')
            kexec = now() - before
            guest.machine.cmd('quit')
            guest.machine.wait(timeout=60)
        return {'boot': [boot], 'kexec': [kexec]}
