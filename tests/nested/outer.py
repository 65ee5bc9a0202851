# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the outer QEMU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# loglevel=5: warnings and oopses reach the log, chatter does not.
# panic=-1 with -no-reboot: a panic ends the emulator at once.
# oops=panic: a host kernel that has oopsed proves nothing any more.
# no_timer_check: the check fails by chance where emulation is slow.
# nokaslr: two runs do the same, and addresses in logs can be compared.
# cryptomgr.notests: with nokaslr half a second of the boot.
APPEND = ('console=ttyS0 loglevel=5 panic=-1 oops=panic nokaslr '
          'no_timer_check mitigations=off tsc=reliable random.trust_cpu=on '
          'cryptomgr.notests')

# A device that does DMA, behind an IOMMU: VFIO can give it to a guest. The
# IOMMU comes before what it is for.
VFIO = ('-device', 'intel-iommu', '-device', 'edu')
APPEND_VFIO = 'intel_iommu=on'

CPU = 'max'

# Time is a nanosecond per instruction, and stands still for nobody.
ICOUNT = ('-icount', 'shift=0,sleep=off')

# With these two, Linux clears and copies memory byte by byte, by an instruction
# that repeats; each time counts, and takes as long as any instruction. Without,
# it does eight bytes at a time.
CPU_FOR_ICOUNT = f'{CPU},erms=off,fsrm=off'

# Debian's places of the firmware for x86.
FIRMWARE = ('/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu')

# Port numbers as the script "init" has them.
PORTS = {'in': 1, 'out': 2, 'err': 3, 'control': 4}


@dataclass(frozen=True)
class Outer:
    """One outer machine."""
    emulator: Path
    vmlinuz: Path
    initrd: str
    console: Path
    memory_mib: int
    icount: bool
    vfio: bool = False
    # More of its command line.
    arguments: Sequence[str] = ()

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """The command; ports are names and inherited socket descriptors."""
        command = [
            *machine(self.emulator, self.memory_mib,
                     CPU_FOR_ICOUNT if self.icount else CPU),
            *(VFIO if self.vfio else ()),
            '-kernel', str(self.vmlinuz), '-initrd', self.initrd,
            '-append', f'{APPEND} {APPEND_VFIO}' if self.vfio else APPEND,
            '-chardev', f'file,id=console,path={comma(str(self.console))}',
            '-serial', 'chardev:console',
            '-device', 'virtio-serial-pci']
        if self.icount:
            command += ICOUNT
        command += self.arguments
        for name, descriptor in ports.items():
            command += [
                '-chardev', f'socket,id={name},fd={descriptor}',
                '-device',
                f'virtserialport,chardev={name},name={name},nr={PORTS[name]}']
        return command


def machine(emulator: Path, memory_mib: int, cpu: str = CPU) -> list[str]:
    """The part that is the same whatever hypervisor is to run on it."""
    command = [
        str(emulator), '-nodefaults', '-no-user-config',
        '-machine', 'q35', '-cpu', cpu, '-m', str(memory_mib),
        # One thread and one CPU, always.  With thread=multi and two
        # CPUs the nested kernel's stacks get corrupted under load (6
        # of 8 runs; 0 of 7 with one thread): TCG's emulation of SVM
        # is not sound there, and a result from it proves nothing.
        # Guests of the inner hypervisor can still have many vCPUs.
        '-accel', 'tcg,thread=single', '-smp', '1',
        '-display', 'none', '-monitor', 'none', '-no-reboot']
    # An emulator in its build folder does not look here by itself.
    for folder in FIRMWARE:
        command += ['-L', folder]
    return command


def comma(value: str) -> str:
    """A value within one of QEMU's comma-separated options."""
    return value.replace(',', ',,')
