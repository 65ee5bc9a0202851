# SPDX-License-Identifier: GPL-2.0-or-later
"""./run: build what is missing, boot a Xen guest, show what it says."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Sequence

from builder import child, emulator, options, packages
from builder.paths import EMULATOR, ROOT
from builder.say import UserError, note, step
from demonstration import ANSWERS

DESCRIPTION = '''Builds what is missing and boots a Xen guest on KVM.

  ./run                       a small Linux guest: what it says of Xen, and
                              where its shared_info and vcpu_infos are
  ./run --smp 4 --memory 1024 the same, larger
  ./run --kernel K [--initrd I] [--append A]
                              a kernel of your own, its console here
  ./run -- QEMU-ARGUMENTS...  the built QEMU with just these arguments

It runs natively where this machine's KVM supports Xen, else in a nested host
(tests/nested/README.md); XEN_OVERLAY_HOST=native|nested overrides the
choice.  Files named in the arguments are taken along to the nested host;
what is written there is gone when it ends.'''

# Beyond the guest's memory: the nested host's kernel, initramfs and QEMU.
HOST_MEMORY_MIB = 1536
# For a guest of the user's own: as long as the user likes.
NO_LIMIT = 10 * 365 * 86400
DEMONSTRATION_LIMIT = 600
DEMONSTRATION = ROOT / 'tools/demonstration.py'


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='./run', description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage='./run [OPTION...] [-- QEMU-ARGUMENTS...]')
    guest = parser.add_argument_group('the guest')
    guest.add_argument('--kernel', type=Path, metavar='FILE',
                       help='a Linux kernel, or any ELF with a PVH entry')
    guest.add_argument('--initrd', type=Path, metavar='FILE')
    guest.add_argument('--append', metavar='TEXT',
                       help='kernel command line (added to, without --kernel)')
    guest.add_argument('--smp', type=int, default=2, metavar='N',
                       help='vCPUs (default: %(default)s)')
    guest.add_argument('--memory', type=int, default=512, metavar='MIB',
                       help='memory (default: %(default)s)')
    guest.add_argument('--machine', default='q35', choices=('q35', 'pc'),
                       help='(default: %(default)s)')
    guest.add_argument('--global', action='append', default=[],
                       dest='globals', metavar='DRIVER.PROPERTY=VALUE',
                       help='as QEMU\'s -global; xen-overlay.shared-info=gfn '
                       'tells KVM the classic way')
    options.add_build_options(parser)
    own = sys.argv[1:]
    qemu = None
    if '--' in own:
        place = own.index('--')
        own, qemu = own[:place], own[place + 1:]
    arguments = parser.parse_args(own)
    arguments.qemu = qemu
    if qemu is not None and not qemu:
        parser.error('no QEMU arguments after "--"')
    if qemu and any(getattr(arguments, name) != parser.get_default(name)
                    for name in ('kernel', 'initrd', 'append', 'smp',
                                 'memory', 'machine', 'globals')):
        parser.error('options of the guest do not go with "--": QEMU gets '
                     'just the arguments after it')
    if arguments.initrd and not arguments.kernel:
        parser.error('--initrd goes with --kernel')
    for file in (arguments.kernel, arguments.initrd):
        if file and not file.is_file():
            parser.error(f'{file}: no such file')
    if arguments.smp < 1 or arguments.memory < 32:
        parser.error('a guest has at least 1 vCPU and 32 MiB')
    return arguments


def main() -> int:
    arguments = parse()
    emulator.check_place()
    packages.ensure(packages.BUILDING + packages.FIRMWARE + packages.RUNNING)
    emulator.build(arguments.with_qemu_source, arguments.configure)
    sys.path.insert(0, str(ROOT / 'tests'))
    if arguments.qemu is not None:
        return run_emulator(arguments.qemu, HOST_MEMORY_MIB * 2)
    if arguments.kernel:
        return run_emulator(
            ['-display', 'none', '-serial', 'stdio', *machine_arguments(
                arguments, arguments.kernel, arguments.initrd,
                arguments.append or 'console=ttyS0')],
            arguments.memory + HOST_MEMORY_MIB)
    return demonstrate(arguments)


def machine_arguments(arguments: argparse.Namespace, kernel: Path,
                      initrd: Path | None, append: str) -> list[str]:
    """QEMU's command line for a Xen guest."""
    result = [
        '-accel', 'kvm,xen-version=0x40011,kernel-irqchip=split',
        '-machine', arguments.machine, '-smp', str(arguments.smp),
        '-m', str(arguments.memory), '-no-reboot',
        '-kernel', str(kernel), '-append', append]
    if initrd:
        result += ['-initrd', str(initrd)]
    for setting in arguments.globals:
        result += ['-global', setting]
    return result


def demonstrate(arguments: argparse.Namespace) -> int:
    """Boot our Linux guest; show what it says and what its overlay is."""
    import linux_guest      # the packages it needs are installed by now
    from xen_inspect import picture

    folder = linux_guest.prepare()
    append = ' '.join(filter(None, [linux_guest.APPEND, 'then=line',
                                    arguments.append]))
    guest = machine_arguments(arguments, folder / 'vmlinuz',
                              folder / 'initrd', append)
    command = ['/usr/bin/python3', str(DEMONSTRATION), str(EMULATOR), *guest]
    files = [*_files_named(guest), DEMONSTRATION,
             *DEMONSTRATION.parent.glob('xen_inspect/*.py')]
    said = Tee(sys.stdout.buffer)
    answers = WithoutAnswers(sys.stderr.buffer)
    status = run_where_kvm_is(
        command, files, arguments.memory + HOST_MEMORY_MIB, said, answers,
        DEMONSTRATION_LIMIT)
    text = said.text()
    print()
    step('the guest runs on Xen')
    for line in re.findall(r'guest: \[ *[\d.]+\] (.*?)\r?$', text, re.M):
        note(line)
    events = re.findall(r'guest: +\d+:([ \d]+) xen-(?:percpu|dyn|pirq)', text)
    total = sum(int(number) for line in events for number in line.split())
    note(f'{len(events)} event channels in use, {total} events taken')
    step('its overlay (tools/xen-inspect shows this of any guest)')
    for line in picture(answers.last()) if answers.last() else ['unknown']:
        note(line)

    if status:
        raise UserError(f'the guest ended with status {status}; what it and '
                        'QEMU said stands above')
    for wanted in ('Hypervisor detected: Xen HVM', 'guest: done'):
        if wanted not in text:
            raise UserError(f'the guest did not say "{wanted}"')
    if not total:
        raise UserError('the guest took no event')
    if not answers.last():
        raise UserError('QEMU gave no answer about the overlay')
    return 0


class Tee:
    """A stream that is passed on and kept."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._kept.append(data)
        self._stream.write(data)
        self.flush()
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def text(self) -> str:
        """All that was written."""
        return b''.join(self._kept).decode(errors='replace')


class WithoutAnswers(Tee):
    """Keeps everything, passes on what is not for programs."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._line = b''

    def write(self, data: bytes) -> int:
        self._kept.append(data)
        *lines, self._line = (self._line + data).split(b'\n')
        for line in lines:
            if not line.startswith(ANSWERS.encode()):
                self._stream.write(line + b'\n')
        self.flush()
        return len(data)

    def last(self) -> dict[str, Any]:
        """The last answers; empty if there were none."""
        found = re.findall(rf'^{ANSWERS}(.*)$', self.text(), re.M)
        return json.loads(found[-1]) if found else {}


def run_emulator(arguments: list[str], memory_mib: int) -> int:
    """Run the emulator with our own input and output."""
    return run_where_kvm_is([str(EMULATOR), *arguments],
                            _files_named(arguments), memory_mib)


def run_where_kvm_is(command: list[str], files: Sequence[str | Path],
                     memory_mib: int, stdout: Tee | None = None,
                     stderr: Tee | None = None,
                     time_limit: float = NO_LIMIT) -> int:
    """Run a command where KVM supports Xen: here, or in a nested host."""
    from nested import xen_kvm
    from nested.errors import NestedError
    from nested.host import NestedHost

    try:
        choice = xen_kvm.choose()
    except ValueError as error:
        raise UserError(str(error)) from error
    if choice.native:
        step(f'starting the guest ({choice.reason})')
        if not (stdout and stderr):
            return child.run(command)
        return _run_kept(command, stdout, stderr)
    step(f'starting the guest in the nested host ({choice.reason})')
    host = NestedHost(memory_mib=memory_mib, time_limit=time_limit)
    try:
        return host.run(command, files=files, stdout=stdout, stderr=stderr,
                        stdin=None if stdout else sys.stdin.buffer)
    except NestedError as error:
        raise UserError(str(error)) from error


def _run_kept(command: list[str], stdout: Tee, stderr: Tee) -> int:
    def pump(source: BinaryIO, sink: Tee) -> None:
        for line in source:
            sink.write(line)

    with child.started(command, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        other = threading.Thread(target=pump, args=(process.stderr, stderr))
        other.start()
        pump(process.stdout, stdout)
        other.join()
    return process.returncode


def _files_named(arguments: list[str]) -> list[str]:
    """The files that QEMU arguments name: FILE, key=FILE, a,key=FILE,..."""
    words = {word for argument in arguments
             for part in argument.split(',')
             for word in (argument, part, part.partition('=')[2])}
    return sorted({os.path.abspath(word) for word in words
                   if word and os.path.isfile(word)})


if __name__ == '__main__':
    options.run(main)
