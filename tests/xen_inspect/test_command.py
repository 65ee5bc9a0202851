# SPDX-License-Identifier: GPL-2.0-or-later
"""One look: what is asked, what is said, with which exit status."""

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Mapping
from unittest import mock

import canned
from fake_qmp import FakeQmp, HangUp, Refusal, shutdown_event
from tool import TOOL, needs_library, run
from xen_inspect import OVERLAY, SHARED_INFO, VCPU_INFO, monitor, picture


@needs_library
class LookTest(unittest.TestCase):
    """A server that answers."""

    def test_picture(self) -> None:
        with FakeQmp(canned.answers()) as server:
            result = run(server.path)
        self.assertEqual((result.status, result.err), (0, ''))
        # Before the host's clock it is the picture of the answers.
        expected = picture(canned.answers())[:14]
        self.assertEqual(result.out.splitlines()[:14], expected)
        self.assertIn('host\'s clock', result.out)

    def test_host_port(self) -> None:
        with FakeQmp(canned.answers(), family=socket.AF_INET) as server:
            result = run(server.path)
        self.assertEqual((result.status, result.err), (0, ''))
        self.assertIn('guest-1, running', result.out)

    def test_verify_only_when_asked(self) -> None:
        with FakeQmp(canned.answers()) as server:
            run(server.path)
        self.assertIn((OVERLAY, {}), server.asked)
        with FakeQmp(canned.verified()) as server:
            result = run(server.path, '--verify')
        self.assertIn((OVERLAY, {'verify': True}), server.asked)
        self.assertEqual(result.status, 0)

    def test_difference_is_a_status(self) -> None:
        with FakeQmp(canned.verified({'attribute': 'long-mode', 'expected': 1,
                                      'actual': 0})) as server:
            result = run(server.path, '--verify')
        self.assertEqual(result.status, 4)
        self.assertIn('long-mode: QEMU believes 1', result.out)

    def test_broken_is_a_status(self) -> None:
        answers = canned.answers()
        answers[OVERLAY]['broken'] = True
        with FakeQmp(answers) as server:
            self.assertEqual(run(server.path).status, 4)
            self.assertEqual(run(server.path, '--json').status, 4)

    def test_json(self) -> None:
        with FakeQmp(canned.answers()) as server:
            result = run(server.path, '--json')
        self.assertEqual(result.status, 0)
        self.assertEqual(result.out.count('\n'), 1)
        said = json.loads(result.out)
        self.assertAlmostEqual(said.pop('host-clock'), time.time(), delta=60)
        self.assertEqual(said, canned.answers())

    def test_not_xen(self) -> None:
        answers = canned.answers() | {OVERLAY: {'enabled': False}}
        with FakeQmp(answers) as server:
            result = run(server.path)
            self.assertEqual((result.status, result.out), (3, ''))
            self.assertIn('does not emulate Xen', result.err)
            self.assertIn('xen-version=', result.err)
            # There is nothing to watch either.
            self.assertEqual(run(server.path, '--watch').status, 3)
            said = run(server.path, '--json')
        self.assertEqual(json.loads(said.out)[OVERLAY], {'enabled': False})
        self.assertEqual(said.status, 3)
        self.assertNotIn(SHARED_INFO, [name for name, _ in server.asked])

    def test_large_answer(self) -> None:
        answers = canned.answers()
        answers[VCPU_INFO] = [canned.vcpu(index) for index in range(1024)]
        with FakeQmp(answers) as server:
            result = run(server.path)
        self.assertEqual(result.status, 0)
        self.assertGreater(len(result.out.splitlines()), 1024)


class ErrorTest(unittest.TestCase):
    """A sentence on stderr, nothing on stdout, status 1."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = str(Path(scratch.name) / 'qmp')

    def complaint(self, *arguments: str) -> str:
        """What is said; the run has to fail."""
        result = run(*arguments)
        self.assertEqual((result.status, result.out), (1, ''), result)
        self.assertEqual(result.err.count('\n'), 1, result.err)
        self.assertTrue(result.err.startswith('xen-inspect: '), result.err)
        return result.err


class NoLibraryTest(ErrorTest):
    """The repository was never built."""

    def test_no_library(self) -> None:
        with mock.patch.object(monitor, 'LIBRARY',
                               Path(self.path).parent / 'absent'):
            self.assertIn('build first: ./run', self.complaint(self.path))


@needs_library
class ConnectTest(ErrorTest):
    """There is nobody, or nobody who talks QMP."""

    def test_missing(self) -> None:
        said = self.complaint(self.path)
        self.assertIn(f'{self.path}: there is no such socket', said)

    def test_refused(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path)
        self.assertIn('nobody listens there', self.complaint(self.path))

    def test_refused_port(self) -> None:
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
            self.assertIn('nobody listens there',
                          self.complaint(f'127.0.0.1:{port}'))

    def test_no_such_port(self) -> None:
        self.assertIn('127.0.0.1:99999: ', self.complaint('127.0.0.1:99999'))

    def test_path_with_a_colon(self) -> None:
        self.assertIn('no such socket', self.complaint(f'{self.path}:a'))

    def test_long_path(self) -> None:
        self.assertIn('too long', self.complaint('/' + 'a' * 200))

    def test_another_client(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path)
            server.listen(1)
            said = self.complaint(self.path, '--timeout', '0.2')
        self.assertIn('no QMP greeting within 0.2 s', said)
        self.assertIn('one client at a time', said)

    def test_more_clients_than_may_wait(self) -> None:
        with socket.socket(socket.AF_UNIX) as server, \
                socket.socket(socket.AF_UNIX) as waiting:
            server.bind(self.path)
            server.listen(0)
            waiting.connect(self.path)
            started = time.monotonic()
            said = self.complaint(self.path, '--timeout', '0.2')
        self.assertIn('not connected within 0.2 s', said)
        self.assertIn('one client at a time', said)
        self.assertGreater(time.monotonic() - started, 0.15)

    def test_not_qmp(self) -> None:
        for greeting in (b'QEMU 10.0.13 monitor - type \'help\'\r\n(qemu) \n',
                         b'{"no": "greeting"}\n', b'[]\n'):
            with self.subTest(greeting), FakeQmp({}, greeting) as server:
                self.assertIn('is not QMP', self.complaint(server.path))

    def test_closed_at_once(self) -> None:
        with FakeQmp({}, greeting=b' ') as server:
            with mock.patch.object(server, '_talk', side_effect=HangUp):
                self.assertIn('closed before', self.complaint(server.path))


@needs_library
class AnswerTest(ErrorTest):
    """A server that does not answer as it should."""

    def test_command_not_found(self) -> None:
        answers = canned.answers()
        del answers[OVERLAY]
        with FakeQmp(answers) as server:
            said = self.complaint(server.path)
        self.assertIn(f'this QEMU has no {OVERLAY}', said)
        self.assertIn('build/qemu-system-x86_64', said)

    def test_other_error(self) -> None:
        def answer(command: str, _: Mapping[str, Any]) -> Any:
            if command == VCPU_INFO:
                raise Refusal('GenericError', 'not today')
            return canned.answers()[command]

        with FakeQmp(answer) as server:
            self.assertIn(f'{VCPU_INFO}: QEMU says: not today',
                          self.complaint(server.path))

    def test_no_answer(self) -> None:
        given_up = threading.Event()

        def answer(command: str, _: Mapping[str, Any]) -> Any:
            if command == SHARED_INFO:
                given_up.wait(60)
            return canned.answers()[command]

        with FakeQmp(answer) as server:
            said = self.complaint(server.path, '--timeout', '1')
            given_up.set()
        self.assertIn(f'did not answer {SHARED_INFO} within 1 s', said)

    def gone_at(self, command: str, last: bytes) -> str:
        """What is said if the server dies when asked `command`."""
        def answer(asked: str, _: Mapping[str, Any]) -> Any:
            if asked == command:
                raise HangUp(last)
            return canned.answers()[asked]

        with FakeQmp(answer) as server:
            return self.complaint(server.path)

    def test_dies_in_the_middle(self) -> None:
        for command in canned.answers():
            with self.subTest(command):
                self.assertIn('the guest is gone', self.gone_at(command, b''))

    def test_dies_in_the_middle_of_a_line(self) -> None:
        # Of this the library sees a line that is no JSON, or the end.
        said = self.gone_at(VCPU_INFO, b'{"return": [{"cpu-ind')
        self.assertRegex(said, 'gone|broke')

    def test_dies_after_saying_why(self) -> None:
        self.assertIn('the guest was shut down (guest-shutdown)',
                      self.gone_at(SHARED_INFO,
                                   shutdown_event('guest-shutdown')))

    def test_garbage(self) -> None:
        self.assertIn('the connection broke: ',
                      self.gone_at(OVERLAY, b'garbage\n'))

    def test_unknown_members(self) -> None:
        for change in ({OVERLAY: {}}, {OVERLAY: []},
                       {OVERLAY: {'enabled': True}}, {SHARED_INFO: {}},
                       {VCPU_INFO: [{}]}):
            with self.subTest(change), \
                    FakeQmp(canned.answers() | change) as server:
                self.assertIn('answers otherwise than this viewer knows',
                              self.complaint(server.path))


class ArgumentsTest(unittest.TestCase):
    """Status 2, before anything is connected to."""

    def test_wrong(self) -> None:
        for arguments in ([], ['a', 'b'], ['a', '--timeout', '0'],
                          ['a', '--watch', '0'], ['a', '--watch=x'],
                          ['a', '--watch', 'nan'], ['a', '--unknown']):
            with self.subTest(arguments):
                result = run(*arguments)
                self.assertEqual((result.status, result.out), (2, ''))

    def test_help_tells_of_statuses(self) -> None:
        result = run('--help')
        self.assertEqual(result.status, 0)
        for status in range(5):
            self.assertRegex(result.out, rf'\n  {status}  \w')
        for line in result.out.splitlines():
            self.assertLess(len(line), 80)


@needs_library
class ProgramTest(unittest.TestCase):
    """As a program, from anywhere, with no environment."""

    def test_program(self) -> None:
        with FakeQmp(canned.answers()) as server:
            done = subprocess.run([TOOL, server.path], cwd='/', env={},
                                  capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('mapped at 0x10000', done.stdout)

    def test_error_is_all_that_is_said(self) -> None:
        done = subprocess.run([TOOL, '/absent'], env={}, capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertEqual(done.stderr.count('\n'), 1)

    def test_reader_gone(self) -> None:
        read, write = os.pipe()
        os.close(read)
        with FakeQmp(canned.answers()) as server:
            done = subprocess.run([TOOL, server.path], env={}, stdout=write,
                                  stderr=subprocess.PIPE, check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b''))


if __name__ == '__main__':
    unittest.main()
