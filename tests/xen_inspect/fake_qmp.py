# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP server of canned answers, on a socket of its own, in a thread."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

GREETING = {'QMP': {'version': {'qemu': {'micro': 13, 'minor': 0,
                                         'major': 10}, 'package': ''},
                    'capabilities': ['oob']}}
EVENT_TIME = {'seconds': 1, 'microseconds': 0}

Answer = Callable[[str, Mapping[str, Any]], Any]


class HangUp(Exception):
    """Raised by an answer: the server closes, after sending `last`."""

    def __init__(self, last: bytes = b'') -> None:
        super().__init__()
        self.last = last


class Farewell(Exception):
    """Raised by an answer: it is `value`, and a little later the server
    closes, after sending `last`."""

    def __init__(self, value: Any, last: bytes = b'') -> None:
        super().__init__()
        self.value = value
        self.last = last


class Refusal(Exception):
    """Raised by an answer: an error of QMP."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__()
        self.error = {'class': kind, 'desc': text}


class FakeQmp:
    """Use as `with`: listens at `path`; `asked` has (command, arguments)."""

    def __init__(self, answer: Answer | Mapping[str, Any],
                 greeting: bytes | None = None,
                 family: int = socket.AF_UNIX) -> None:
        self._answer = answer
        self._greeting = greeting or json.dumps(GREETING).encode() + b'\n'
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self._scratch = tempfile.TemporaryDirectory()
        self._server = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            self.path = str(Path(self._scratch.name) / 'qmp')
            self._server.bind(self.path)
        else:
            self._server.bind(('127.0.0.1', 0))
            self.path = f'127.0.0.1:{self._server.getsockname()[1]}'
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeQmp:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes accept(); a served client has left by now.
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        self._scratch.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                try:
                    self._talk(connection)
                except HangUp as end:
                    connection.sendall(end.last)
                except OSError:
                    pass        # the client left

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(self._greeting)
        for request in _objects(connection):
            reply: dict[str, Any] = {'id': request['id']} \
                if 'id' in request else {}
            try:
                reply['return'] = self._execute(
                    request['execute'], request.get('arguments', {}))
            except Refusal as refusal:
                reply['error'] = refusal.error
            except Farewell as end:
                reply['return'] = end.value
                connection.sendall(json.dumps(reply).encode() + b'\n')
                time.sleep(0.2)     # no look takes so long
                raise HangUp(end.last) from None
            connection.sendall(json.dumps(reply).encode() + b'\n')

    def _execute(self, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == 'qmp_capabilities':
            return {}
        self.asked.append((command, arguments))
        if callable(self._answer):
            return self._answer(command, arguments)
        if command not in self._answer:
            raise Refusal('CommandNotFound',
                          f'The command {command} has not been found')
        return self._answer[command]


def _objects(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """What a client sends: JSON objects, with nothing between them."""
    text = ''
    while data := connection.recv(65536):
        text += data.decode()
        while text:
            try:
                value, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                break           # not all of it is here yet
            yield value
            text = text[end:].lstrip()


def shutdown_event(reason: str) -> bytes:
    """As QEMU sends it when a guest powers off."""
    return json.dumps({'event': 'SHUTDOWN', 'timestamp': EVENT_TIME,
                       'data': {'guest': True, 'reason': reason}}
                      ).encode() + b'\n'
