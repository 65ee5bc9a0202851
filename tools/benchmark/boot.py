# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "boot": a Linux guest, to its user space."""

from __future__ import annotations

from pathlib import Path

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples
from .variant import Variant

LINUX_GUEST = Path(__file__).resolve().parents[2] / 'build/linux-guest'
FILES = ('vmlinuz', 'initrd', 'append')
MEMORY_MIB = 256


class Boot(Part):
    """The kernel is Debian's, which is what such a guest would be."""
    name = 'boot'
    title = 'a Linux guest boots'
    measures = (
        Measure('boot', 'from the start of the emulator to user space',
                INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((1,) if quick else (2,))]

    def files(self) -> list[Path]:
        import linux_guest

        linux_guest.prepare()
        return [LINUX_GUEST / name for name in FILES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import Guest, machine
        from .host_clock import now

        append = (LINUX_GUEST / 'append').read_text()
        before = now()
        with Guest(machine(
                variant, int(configuration['vcpus']), MEMORY_MIB,
                '-kernel', str(LINUX_GUEST / 'vmlinuz'),
                '-initrd', str(LINUX_GUEST / 'initrd'),
                '-append', append, '-no-reboot')) as guest:
            guest.wait_for('guest: ')
            cost = now() - before
        return {'boot': [cost]}
