# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the outer QEMU: Xen, and Linux as its dom0."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nested.outer import CPU, CPU_FOR_ICOUNT as NESTED, ICOUNT, comma, machine

DOM0_MIB = 256
# Xen itself, and what a domain costs beside its memory.
XEN_MIB = 256

# guest_loglvl=all: what a guest writes to port 0xe9 is of the lowest level.
# loglvl=warning: dozens of lines for each vCPU that xl makes are not.
# noreboot: a panic of Xen's stays on the console until the time limit
# rather than starting the machine again.
XEN = ('console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=all '
       f'dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M dom0_max_vcpus=1 noreboot')

# With x2APIC Xen writes the APIC by MSR, and TCG ends QEMU with "Bad icount
# read" when such a write sets a timer.
CPU_FOR_ICOUNT = f'{NESTED},x2apic=off'

# On a line of its own, so that Xen's console has Xen's words and the
# guest's, and no line of it is torn apart.
DOM0 = 'console=ttyS1 loglevel=4 panic=-1'


@dataclass(frozen=True)
class Outer:
    """One outer machine."""
    emulator: Path
    hypervisor: Path
    vmlinuz: Path
    initrd: str
    guest_mib: int
    icount: bool = False

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """The command; ports are inherited sockets for the consoles of
        "xen" and "dom0"."""
        modules = f'{comma(str(self.vmlinuz))} {DOM0},{self.initrd}'
        command = [
            *machine(self.emulator, self.guest_mib + DOM0_MIB + XEN_MIB,
                     CPU_FOR_ICOUNT if self.icount else CPU),
            '-kernel', str(self.hypervisor), '-append', XEN,
            '-initrd', modules]
        if self.icount:
            command += ICOUNT
        for name in ('xen', 'dom0'):    # COM1 and COM2
            command += ['-chardev', f'socket,id={name},fd={ports[name]}',
                        '-serial', f'chardev:{name}']
        return command
