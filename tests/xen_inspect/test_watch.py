# SPDX-License-Identifier: GPL-2.0-or-later
"""--watch: a server that changes, and what ends the watch."""

import json
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time
import unittest
from typing import Any, Mapping

import canned
from fake_qmp import FakeQmp, Farewell, HangUp, shutdown_event
from tool import TOOL, needs_library, run
from xen_inspect import OVERLAY, VCPU_INFO

AHEAD = 100     # seconds of the guest's clock
CLEAR, HOME = '\033[2J', '\033[H'


class Changing:
    """Answers of a guest whose overlay is moved before each look."""

    def __init__(self, looks: int, last: bytes = b'') -> None:
        self._looks = looks
        self._last = last
        self._done = 0
        self.ended = threading.Event()

    def __call__(self, command: str, _: Mapping[str, Any]) -> Any:
        answers = canned.answers()
        if command == 'query-name':
            self._done += 1
            if self._done > self._looks:
                self.ended.set()
                raise HangUp(self._last)
        answers[OVERLAY]['stats']['maps'] = self._done
        system_time = int((time.time() - canned.BOOTED + AHEAD) * 1e9)
        answers[VCPU_INFO] = [canned.vcpu(
            0, time=canned.clock(2 * self._done, system_time))]
        return answers[command]


@needs_library
class WatchTest(unittest.TestCase):
    """In this process, until the server ends it."""

    def test_pictures_with_rates(self) -> None:
        with FakeQmp(Changing(3)) as server:
            result = run(server.path, '--watch', '0.1')
        self.assertEqual(result.status, 1)
        self.assertIn('the guest is gone', result.err)
        pictures = result.out.split('guest-1, running')[1:]
        self.assertEqual(len(pictures), 3)
        self.assertNotIn('per second', pictures[0])
        for number, text in enumerate(pictures):
            self.assertIn(f'since start        {number + 1} maps', text)
        for text in pictures[1:]:
            words = text[text.index('per second'):].split()
            # One of each per look; a look takes 0.1 s, and longer where
            # the machine is busy.
            self.assertEqual(words[2], 'maps')
            self.assertTrue(0 < float(words[3].rstrip(',')) <= 10, words)
            self.assertEqual(words[4:6], ['registrations', '0.0,'])
            self.assertEqual(words[8] + ',', words[3])
        # No terminal, so nothing for one; a blank line between two.
        self.assertNotIn('\033', result.out)
        self.assertIn('\n\nguest ', result.out)

    def test_a_fresh_update_tells_more(self) -> None:
        with FakeQmp(Changing(2)) as server:
            result = run(server.path, '--watch', '0.1')
        first, second = result.out.split('guest-1, running')[1:]
        self.assertRegex(first, r'guest at least \d+\.\d+ s ahead\n')
        found = re.search(
            r'guest between (\d+\.\d+) s ahead and (\d+\.\d+) s ahead\n',
            second)
        assert found, second
        least, most = map(float, found.groups())
        self.assertAlmostEqual(least, AHEAD, delta=20)
        # Updated after the first look began, 0.1 s ago or more.
        self.assertGreaterEqual(most - least, 0.1)
        self.assertLess(most - least, 20)

    def test_json_lines(self) -> None:
        with FakeQmp(Changing(3)) as server:
            result = run('--json', '--watch=0.01', server.path)
        lines = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual([line[OVERLAY]['stats']['maps'] for line in lines],
                         [1, 2, 3])
        self.assertEqual(result.status, 1)

    def test_powered_off_between_two_looks(self) -> None:
        def answer(command: str, _: Mapping[str, Any]) -> Any:
            if command == VCPU_INFO:
                raise Farewell([canned.vcpu(0)],
                               shutdown_event('guest-shutdown'))
            return canned.answers()[command]

        started = time.monotonic()
        with FakeQmp(answer) as server:
            result = run(server.path, '--watch', '60')
        self.assertEqual(result.status, 1)
        self.assertIn('mapped at 0x10000', result.out)
        self.assertIn('shut down (guest-shutdown)', result.err)
        self.assertLess(time.monotonic() - started, 30)

    def test_watch_before_the_socket(self) -> None:
        with FakeQmp(Changing(1)) as server:
            result = run('--watch', server.path)
        self.assertIn('guest-1, running', result.out)

    def test_one_connection_for_all(self) -> None:
        with FakeQmp(Changing(4)) as server:
            run(server.path, '--watch', '0.01')
        names = [name for name, _ in server.asked]
        # A second connection would have made it start over.
        self.assertEqual(names.count('query-name'), 5)
        self.assertEqual(names.count(VCPU_INFO), 4)


@needs_library
class ProgramTest(unittest.TestCase):
    """As a program."""

    def setUp(self) -> None:
        # A shell's background job is started with SIGINT ignored, and what
        # is ignored here would be in the programs that are started.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def test_ctrl_c(self) -> None:
        with FakeQmp(Changing(10 ** 6)) as server, \
                subprocess.Popen([TOOL, server.path, '--watch', '0.05'],
                                 env={}, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True) as tool:
            assert tool.stdout
            self.assertIn('guest-1', tool.stdout.readline())
            tool.send_signal(signal.SIGINT)
            rest, errors = tool.communicate(timeout=60)
        self.assertEqual((tool.returncode, errors), (0, ''))
        self.assertNotIn('Traceback', rest)

    def test_ctrl_c_without_watch(self) -> None:
        asked = threading.Event()
        answer = threading.Event()

        def slow(command: str, _: Mapping[str, Any]) -> Any:
            asked.set()
            answer.wait(60)
            return canned.answers()[command]

        with FakeQmp(slow) as server:
            with subprocess.Popen([TOOL, server.path], env={},
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as tool:
                self.assertTrue(asked.wait(60))
                tool.send_signal(signal.SIGINT)
                out, errors = tool.communicate(timeout=60)
            answer.set()
        self.assertEqual((tool.returncode, out, errors), (130, b'', b''))

    def test_reader_gone(self) -> None:
        with FakeQmp(Changing(10 ** 6)) as server, \
                subprocess.Popen([TOOL, server.path, '--watch', '0.05'],
                                 env={}, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE) as tool:
            assert tool.stdout and tool.stderr
            tool.stdout.readline()
            tool.stdout.close()
            errors = tool.stderr.read()
            tool.wait(60)
        self.assertEqual((tool.returncode, errors), (0, b''))

    def on_terminal(self, rows: int, *options: str) -> str:
        """What a terminal of 100 columns gets in three looks."""
        control, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (rows, 100))
        with FakeQmp(Changing(3)) as server, \
                subprocess.Popen([TOOL, server.path, '--watch', '0.05',
                                  *options], env={},
                                 stdout=terminal,
                                 stderr=subprocess.DEVNULL) as tool:
            os.close(terminal)
            said = b''
            try:
                while True:
                    said += os.read(control, 65536)
            except OSError:     # EIO: the last one closed the terminal
                pass
            tool.wait(60)
        os.close(control)
        return said.decode().replace('\r\n', '\n')

    def test_in_place(self) -> None:
        said = self.on_terminal(40)
        self.assertTrue(said.startswith(CLEAR + HOME + 'guest '), said[:40])
        self.assertEqual(said.count(CLEAR), 1)
        self.assertEqual(said.count(HOME), 3)
        self.assertEqual(said.count('guest-1, running'), 3)
        # Whatever a shorter picture leaves of a longer one is cleared.
        self.assertEqual(said.count('\033[J'), 3)
        for line in said.splitlines()[:-1]:
            self.assertTrue(line.endswith('\033[K'), line)

    def test_small_terminal(self) -> None:
        screens = self.on_terminal(10).split(HOME)[1:]
        self.assertEqual(len(screens), 3)
        for screen in screens:
            self.assertEqual(screen.count('\n'), 9)
            self.assertRegex(screen, r'\(\d+ more lines; ')

    def test_json_on_a_terminal(self) -> None:
        said = self.on_terminal(10, '--json')
        self.assertNotIn('\033', said)
        self.assertEqual(len(said.splitlines()), 3)


if __name__ == '__main__':
    unittest.main()
