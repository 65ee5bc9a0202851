# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the emulator's monitor that does as little as can be: what it
measures is the emulator's work, not that of taking a long answer apart."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import Any


class Monitor:
    """Use as a context manager, around the machine that has arguments()."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._path = str(Path(self._folder.name) / 'monitor')
        self._socket = socket.socket(socket.AF_UNIX)

    def arguments(self) -> list[str]:
        """For the emulator's command line."""
        return ['-qmp', f'unix:{self._path},server=on,wait=off']

    def __enter__(self) -> 'Monitor':
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        self._folder.cleanup()

    def connect(self) -> None:
        """Once the machine is there."""
        self._socket.connect(self._path)
        self._lines()       # the greeting
        self.ask(request('qmp_capabilities', {}))

    def ask(self, command: bytes) -> int:
        """Returns how long the answer is."""
        self._socket.sendall(command)
        while True:
            for line in self._lines():
                if line.startswith(b'{"return"'):
                    return len(line)
                if line.startswith(b'{"error"'):
                    raise ValueError(line.decode())

    def _lines(self) -> list[bytes]:
        """An answer, or events, or both."""
        pieces: list[bytes] = []
        while not pieces or not pieces[-1].endswith(b'\n'):
            piece = self._socket.recv(1 << 20)
            if not piece:
                raise ValueError('the monitor was closed')
            pieces.append(piece)
        return b''.join(pieces).splitlines()


def request(command: str, arguments: dict[str, Any]) -> bytes:
    """What ask() takes."""
    return json.dumps({'execute': command,
                       'arguments': arguments}).encode() + b'\n'
