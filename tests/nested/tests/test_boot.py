# SPDX-License-Identifier: GPL-2.0-or-later
"""Real boots.  NESTED_TEST_QEMU names another emulator than the built one.

Each takes some six seconds; those that have much to check share a boot.
"""

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nested import xen_kvm
from nested.host import NestedHost
from nested.initramfs import BUSYBOX, PYTHON
from nested.kernel import find_kernel
from nested.layer import pack
from nested.paths import EMULATOR
from nested.tree import Tree

QEMU = Path(os.environ.get('NESTED_TEST_QEMU', EMULATOR))
TOOL = Path(__file__).resolve().parents[1] / 'nested-host'

NOISE = '''
import hashlib, os, sys, threading
def write(stream):
    data = os.urandom(5_000_003)
    stream.write(data)
    stream.flush()
    sums[stream] = hashlib.sha256(data).hexdigest()
sums = {}
both = [threading.Thread(target=write, args=(s.buffer,))
        for s in (sys.stdout, sys.stderr)]
for one in both: one.start()
for one in both: one.join()
sys.stdout.write(sums[sys.stdout.buffer])
sys.stderr.write(sums[sys.stderr.buffer])
'''


GUEST_INIT = b'''#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
echo "guest: $(/bin/busybox nproc) CPUs on $(/bin/busybox cat \\
    /sys/hypervisor/type)"
/bin/busybox poweroff -f
'''


def emulators(word: str) -> list[str]:
    """Processes with this in their command line, but for this one."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            command = path.read_bytes().replace(b'\0', b' ').decode()
        except OSError:
            continue
        if word in command and int(path.parent.name) != os.getpid():
            found.append(command)
    return found


@unittest.skipUnless(QEMU.exists(), f'{QEMU} is not built')
class BootTest(unittest.TestCase):
    """run() keeps what it promises."""

    def setUp(self) -> None:
        self.out = io.BytesIO()
        self.err = io.BytesIO()

    def run_inside(self, *argv: str, files: Sequence[Any] = (),
                   stdin: Any = None, env: Any = None, cwd: Any = None,
                   **options: Any) -> int:
        """Run a command; its output is in self.out and self.err."""
        options = {'time_limit': 120, **options}
        self.host = NestedHost(qemu=QEMU, **options)
        status = self.host.run(argv, files=files, stdout=self.out, env=env,
                               cwd=cwd, stderr=self.err, stdin=stdin)
        self.assertEqual(emulators(str(self.host.console)), [])
        return status

    def test_status(self) -> None:
        for status in (0, 3, 77):
            with self.subTest(status=status):
                self.assertEqual(
                    self.run_inside('sh', '-c', f'exit {status}'), status)

    def test_odd_ends(self) -> None:
        self.assertEqual(self.run_inside('no-such-command'), 127)
        self.assertIn(b'no-such-command', self.err.getvalue())
        self.assertEqual(self.run_inside('sh', '-c', 'kill -9 $$'), 137)

    def test_output_is_separate_and_whole(self) -> None:
        self.assertEqual(self.run_inside(PYTHON, '-c', NOISE), 0)
        for stream in (self.out, self.err):
            data, checksum = (stream.getvalue()[:5_000_003],
                              stream.getvalue()[5_000_003:])
            self.assertEqual(hashlib.sha256(data).hexdigest().encode(),
                             checksum)
        self.assertNotEqual(self.out.getvalue(), self.err.getvalue())

    def test_output_is_live(self) -> None:
        lines: list[float] = []

        class Clock(io.BytesIO):
            """Notes when something comes."""
            def write(self, data: Any) -> int:
                lines.append(time.monotonic())
                return super().write(data)

        self.out = Clock()
        self.run_inside('sh', '-c', 'echo one; sleep 2; echo two')
        self.assertEqual(self.out.getvalue(), b'one\ntwo\n')
        self.assertGreater(lines[-1] - lines[0], 1)

    def test_stdin_comes_whole_and_ends(self) -> None:
        data = os.urandom(3_000_001)
        self.assertEqual(
            self.run_inside('sha256sum', stdin=io.BytesIO(data)), 0)
        self.assertEqual(self.out.getvalue().split()[0].decode(),
                         hashlib.sha256(data).hexdigest())

    def test_streams_can_be_opened_again(self) -> None:
        self.assertEqual(self.run_inside(
            'sh', '-c', 'echo o >/dev/stdout; echo e >/dev/stderr; '
            'cat /dev/stdin; sleep 1000 & exit 4'), 4)
        self.assertEqual(self.out.getvalue(), b'o\n')
        self.assertEqual(self.err.getvalue(), b'e\n')

    def test_place_and_environment(self) -> None:
        with tempfile.TemporaryDirectory(prefix="it's a ☃ ") as name:
            folder = Path(name)
            (folder / 'sub').mkdir()
            (folder / 'sub/file').write_text('content')
            (folder / 'other').write_text('elsewhere')
            self.assertEqual(self.run_inside(
                'sh', '-c', 'pwd; cat sub/file /new/name; echo "$ODD"; '
                'test ! -e other && echo "$XEN_OVERLAY_HOST"',
                files=[folder / 'sub', (folder / 'other', '/new/name')],
                cwd=folder, env={'ODD': "a'b\nc"}), 0, self.err.getvalue())
            self.assertEqual(self.out.getvalue().decode(),
                             f"{name}\ncontentelsewherea'b\nc\nnative\n")

    def test_kvm_hosts_xen_guests(self) -> None:
        probe = Path(xen_kvm.__file__)
        self.assertEqual(self.run_inside(PYTHON, str(probe), files=[probe]),
                         0, self.out.getvalue())

    def test_xen_guest_boots(self) -> None:
        vmlinuz = find_kernel().vmlinuz
        tree = Tree()
        tree.add_as(BUSYBOX, '/bin/busybox')
        tree.add_data('/init', GUEST_INIT, 0o755)
        for name in ('/dev', '/proc', '/sys'):
            tree.add_folder(name)
        with tempfile.TemporaryDirectory() as name:
            tree.write(Path(name))
            with tempfile.NamedTemporaryFile(suffix='.cpio') as initrd:
                pack(Path(name), initrd.fileno())
                self.assertEqual(self.run_inside(
                    str(QEMU), '-accel',
                    'kvm,xen-version=0x40011,kernel-irqchip=split',
                    '-machine', 'q35', '-nodefaults', '-m', '256',
                    '-smp', '2', '-display', 'none', '-serial', 'stdio',
                    '-no-reboot', '-kernel', str(vmlinuz),
                    '-initrd', initrd.name, '-append',
                    'console=ttyS0 no_timer_check panic=-1',
                    files=[vmlinuz, initrd.name]), 0, self.err.getvalue())
        said = self.out.getvalue()
        self.assertIn(b'Hypervisor detected: Xen HVM', said)
        self.assertIn(b'guest: 2 CPUs on xen', said)

    def test_machine(self) -> None:
        self.assertEqual(self.run_inside(
            'sh', '-c', 'ifconfig lo | grep -q 127.0.0.1 && '
            'test -e /sys/kernel/tracing/kprobe_events && '
            'test -d /sys/kernel/debug/kvm && df /dev/shm >/dev/null && '
            f'{QEMU} --version && {PYTHON} -c "import ssl, ctypes" && '
            f'cat /sys/module/kvm_amd/parameters/npt'), 0,
            self.err.getvalue())
        self.assertTrue(self.out.getvalue().endswith(b'\nY\n'))

    def complaint(self, *argv: str, **options: Any) -> tuple[int, str]:
        """Run a command that fails; what the host says about it."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            status = self.run_inside(*argv, **options)
        return status, said.getvalue()

    def test_time_limit(self) -> None:
        status, said = self.complaint(
            'sh', '-c', 'echo here; sleep 1000', time_limit=20)
        self.assertEqual(status, 124)
        self.assertIn("time limit of 20 s reached while running: "
                      "sh -c 'echo here; sleep 1000'", said)
        self.assertEqual(self.out.getvalue(), b'here\n')

    def test_panic(self) -> None:
        status, said = self.complaint(
            'sh', '-c', 'echo c >/proc/sysrq-trigger')
        self.assertEqual(status, 125)
        self.assertIn('the nested kernel panicked', said)
        self.assertIn('sysrq triggered crash', said)
        self.assertIn('Call Trace', said + self.console_text())

    def console_text(self) -> str:
        """The nested kernel's console."""
        assert self.host.console is not None
        return self.host.console.read_text(errors='replace')

    def test_power_off(self) -> None:
        status, said = self.complaint('poweroff', '-f')
        self.assertEqual(status, 125)
        self.assertIn('ended without a status', said)

    def test_emulator_that_does_not_start(self) -> None:
        status, said = self.complaint('true', memory_mib=-1)
        self.assertEqual(status, 125)
        self.assertIn('did not start', said)

    def test_given_python_is_compiled(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            Path(name, 'given.py').write_text('WORD = "taken"\n')
            Path(name, 'broken.py').write_text('not Python at all\n')
            self.assertEqual(self.run_inside(
                PYTHON, '-c', 'import given, os; print(given.WORD);'
                'print(given.__file__, os.path.exists(given.__cached__))',
                files=[name], cwd=name), 0, self.err.getvalue())
            self.assertEqual(self.out.getvalue().decode(),
                             f'taken\n{name}/given.py True\n')

    def test_icount(self) -> None:
        code = ('import time; a = time.monotonic_ns();'
                'sum(range(1000000)); print(time.monotonic_ns() - a)')
        times = []
        for _ in range(2):
            self.out = io.BytesIO()
            self.assertEqual(
                self.run_inside(PYTHON, '-c', code, icount=True), 0)
            times.append(int(self.out.getvalue()))
        # Wall-clock time on a loaded machine would not be so even.
        self.assertLess(abs(times[0] - times[1]), 0.1 * times[0], times)

    def test_two_at_once(self) -> None:
        results: dict[str, tuple[int, bytes]] = {}

        def boot(name: str) -> None:
            out = io.BytesIO()
            status = NestedHost(qemu=QEMU, time_limit=120).run(
                ['echo', name], stdout=out, stderr=io.BytesIO())
            results[name] = status, out.getvalue()

        threads = [threading.Thread(target=boot, args=(name,))
                   for name in ('one', 'two')]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {'one': (0, b'one\n'), 'two': (0, b'two\n')})


@unittest.skipUnless(QEMU.exists(), f'{QEMU} is not built')
class SignalTest(unittest.TestCase):
    """However the tool ends, it leaves no emulator behind."""

    def end_by(self, number: int) -> int:
        """End the tool in the middle of a command; its exit status."""
        with subprocess.Popen(
                [PYTHON, TOOL, '--qemu', QEMU, '--', 'sh', '-c',
                 'echo up; sleep 1000'], stdin=subprocess.DEVNULL,
                # What is started in the background, as CI may be, ignores
                # SIGINT, and so does all that it starts.
                preexec_fn=lambda: signal.signal(signal.SIGINT,
                                                 signal.SIG_DFL),
                stdout=subprocess.PIPE) as tool:
            assert tool.stdout is not None
            self.assertEqual(tool.stdout.readline(), b'up\n')
            console = f'-{tool.pid}-1.log'
            self.assertEqual(len(emulators(console)), 1)
            tool.send_signal(number)
            status = tool.wait(20)
        deadline = time.monotonic() + 10
        while emulators(console):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        return status

    def test_ctrl_c(self) -> None:
        self.assertEqual(self.end_by(signal.SIGINT), 130)

    def test_sigterm(self) -> None:
        self.assertEqual(self.end_by(signal.SIGTERM), 143)

    def test_sigkill(self) -> None:
        self.assertEqual(self.end_by(signal.SIGKILL), -9)
