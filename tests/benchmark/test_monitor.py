# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions to a monitor, and what may come beside the answer."""

import socket
import threading
import unittest

from benchmark.monitor import Monitor, request

LONG = b'{"return": [' + b'1, ' * 100000 + b'1]}'
ANSWERS = (
    b'{"return": {}}\r\n',      # to qmp_capabilities
    b'{"event": "RESET"}\r\n{"return": {"a": 1}}\r\n',
    LONG + b'\r\n',
    b'{"error": {"desc": "no such thing"}}\r\n')


class MonitorTest(unittest.TestCase):
    """A monitor that gives the answers above, whatever it is asked."""

    def setUp(self) -> None:
        self.monitor = Monitor()
        self.addCleanup(self.monitor.__exit__)
        path = self.monitor.arguments()[1].split(':')[1].split(',')[0]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.addCleanup(self.listener.close)
        self.asked: list[bytes] = []
        thread = threading.Thread(target=self._answer)
        thread.start()
        self.addCleanup(thread.join)

    def _answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.sendall(b'{"QMP": {}}\r\n')
            for answer in ANSWERS:
                self.asked.append(connection.recv(4096))
                connection.sendall(answer)

    def test_answers(self) -> None:
        self.monitor.connect()
        command = request('stop', {'now': True})
        self.assertEqual(len('{"return": {"a": 1}}'),
                         self.monitor.ask(command))
        self.assertEqual(len(LONG), self.monitor.ask(command))
        with self.assertRaisesRegex(ValueError, 'no such thing'):
            self.monitor.ask(command)
        self.assertEqual(
            [b'{"execute": "qmp_capabilities", "arguments": {}}\n'] +
            [b'{"execute": "stop", "arguments": {"now": true}}\n'] * 3,
            self.asked)


if __name__ == '__main__':
    unittest.main()
