# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs in the foreground, and how a command ends."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from builder import child

# The child says that it runs, and says goodbye when it is asked to end.
ORDERLY = 'trap "sleep 0.5; echo bye; exit 3" TERM INT; echo runs; ' \
    'while :; do sleep 0.05; done'


def command(main: str) -> list[str]:
    """A command of ours whose main is this expression."""
    return ['/usr/bin/python3', '-c',
            'import sys\nfrom builder import child, options, say\n'
            f'options.run(lambda: {main})']


def heed_interrupts() -> None:
    """What is started in the background, as CI may be, ignores SIGINT, and
    so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ChildTest(unittest.TestCase):
    """It is never killed, and its status is the shell's."""

    def test_status(self) -> None:
        self.assertEqual(0, child.run(['true']))
        self.assertEqual(7, child.run(['sh', '-c', 'exit 7']))
        self.assertEqual(128 + 9, child.run(['sh', '-c', 'kill -9 $$']))

    def test_it_is_ended_in_order(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only we get the signal; in a terminal the child would as well.
            with subprocess.Popen(
                    command(f'child.run(["sh", "-c", {ORDERLY!r}])'),
                    stdout=subprocess.PIPE, text=True,
                    preexec_fn=heed_interrupts) as process:
                assert process.stdout
                self.assertEqual('runs\n', process.stdout.readline())
                process.send_signal(number)
                self.assertEqual('bye\n', process.stdout.read())
            self.assertEqual(128 + number, process.returncode)


class EndTest(unittest.TestCase):
    """What a user sees at the end."""

    def ended(self, main: str) -> tuple[int, str]:
        """Status and stderr of a command."""
        done = subprocess.run(command(main), capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr

    def test_errors_without_a_trace(self) -> None:
        self.assertEqual((2, 'error: so\n'),
                         self.ended('(_ for _ in ()).throw('
                                    'say.UserError("so"))'))
        status, said = self.ended('open("/proc/1/mem", "x") if 0 else '
                                  '(_ for _ in ()).throw('
                                  'PermissionError(13, "denied", "/build"))')
        self.assertEqual((2, "error: [Errno 13] denied: '/build'\n"),
                         (status, said))
        self.assertEqual((5, ''), self.ended('5'))

    def test_reader_that_goes_early(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            errors = Path(folder) / 'errors'
            with open(errors, 'wb') as stderr, subprocess.Popen(
                    command('[print(n) for n in range(10**6)] and 0'),
                    stdout=subprocess.PIPE, stderr=stderr) as process:
                assert process.stdout
                process.stdout.readline()
                process.stdout.close()
            self.assertEqual(128 + signal.SIGPIPE, process.returncode)
            self.assertEqual('', errors.read_text())

    def test_closed_input_and_output(self) -> None:
        """What is opened first does not take their place."""
        python = Path(child.__file__).parents[1] / 'python'
        done = subprocess.run(
            ['sh', '-c', '"$0" -c "import os; '
             'print(os.open(\'/\', os.O_RDONLY)); '
             'os.write(2, str(os.open(\'/\', 0)).encode())" <&- >&-',
             str(python)], capture_output=True, text=True, check=True)
        self.assertGreater(int(done.stderr), 2)
        self.assertTrue(os.access(python, os.X_OK))


if __name__ == '__main__':
    unittest.main()
