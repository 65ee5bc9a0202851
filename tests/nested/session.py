# SPDX-License-Identifier: GPL-2.0-or-later
"""One nested host at work: the command's streams and its status."""

import io
import os
import socket
import threading
import time
from typing import BinaryIO

from nested.machine import CHUNK, Command, Machine
from nested.stream import MarkedStream


class Session(Machine):
    """The machine of a nested host.

    Afterwards also: status (None if the command did not get to its end),
    boot_seconds (None if init was not reached)."""

    def __init__(self, outer: Command, image: int, mark: bytes,
                 stdout: BinaryIO, stderr: BinaryIO,
                 stdin: BinaryIO | None, time_limit: float) -> None:
        super().__init__(outer, image, ('out', 'err', 'control')
                         + (() if stdin is None else ('in',)), time_limit)
        self.sinks = {'out': stdout, 'err': stderr}
        self.streams = {name: MarkedStream(mark) for name in self.sinks}
        self.stdin = stdin
        self.status: int | None = None
        self.boot_seconds: float | None = None
        self._control = b''

    def _complete(self) -> bool:
        return self.status is not None and all(
            stream.ended for stream in self.streams.values())

    def _take(self, name: str, data: bytes) -> None:
        if name in self.streams:
            stream = self.streams[name]
            self._pass_on(name, stream.feed(data) if data
                          else stream.close())
        elif name == 'in':
            if data and self.stdin is not None:
                # init reads now: see there why not earlier.
                threading.Thread(target=self._pump, daemon=True).start()
        else:
            self._control += data
            self._obey_control()

    def _pass_on(self, name: str, data: bytes) -> None:
        if data:
            self.sinks[name].write(data)
            self.sinks[name].flush()

    def _obey_control(self) -> None:
        *lines, self._control = self._control.split(b'\n')
        for line in lines:
            word, _, value = line.partition(b' ')
            if word == b'ready':
                self.boot_seconds = time.monotonic() - self.started
            elif word == b'status':
                self.status = int(value)

    def _pump(self) -> None:
        """stdin to the port, in a thread: reading it may block for ever,
        and a regular file cannot be waited for with a selector."""
        assert self.stdin is not None
        sock = self._sockets['in']
        try:
            while data := self._read_stdin():
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass    # the machine ended before its input did

    def _read_stdin(self) -> bytes:
        assert self.stdin is not None
        try:
            # Not through its buffer: a thread that waits with the buffer's
            # lock held makes Python abort at its end.
            return os.read(self.stdin.fileno(), CHUNK)
        except io.UnsupportedOperation:
            return self.stdin.read(CHUNK)    # io.BytesIO and the like
