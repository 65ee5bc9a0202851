# SPDX-License-Identifier: GPL-2.0-or-later
"""One outer QEMU: started, listened to, and ended whatever happens."""

import io
import os
import selectors
import socket
import subprocess
import tempfile
import threading
import time
from typing import BinaryIO

from nested.errors import NestedError
from nested.outer import Outer
from nested.paths import NESTED
from nested.stream import MarkedStream

CHUNK = 1 << 16


class Session:
    """Use as a context manager; on the way out the emulator is dead.

    Afterwards: status (None if the command did not get to its end),
    boot_seconds (None if init was not reached), timed_out, complaints
    (what the emulator itself said)."""

    def __init__(self, outer: Outer, image: int, mark: bytes,
                 stdout: BinaryIO, stderr: BinaryIO,
                 stdin: BinaryIO | None, time_limit: float) -> None:
        self.outer = outer
        self.image = image
        self.sinks = {'out': stdout, 'err': stderr}
        self.streams = {name: MarkedStream(mark) for name in self.sinks}
        self.stdin = stdin
        self.deadline = time.monotonic() + time_limit
        self.started = time.monotonic()
        self.status: int | None = None
        self.boot_seconds: float | None = None
        self.timed_out = False
        self.complaints = ''
        self._control = b''
        self._sockets: dict[str, socket.socket] = {}
        # A file: a pipe that nobody empties would stop the emulator.
        # pylint: disable-next=consider-using-with
        self._errors = tempfile.TemporaryFile(dir=NESTED)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> 'Session':
        names = ['out', 'err', 'control']
        if self.stdin is not None:
            names.append('in')
        theirs = {}
        for name in names:
            self._sockets[name], theirs[name] = socket.socketpair()
        ports = {name: end.fileno() for name, end in theirs.items()}
        command = self.outer.command(ports)
        try:
            self._process = subprocess.Popen(
                # Whatever kills us (even SIGKILL) kills the emulator too.
                ['setpriv', '--pdeathsig', 'KILL', '--', *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[self.image, *ports.values()],
                # Ctrl-C is for us: were QEMU to get it as well, it would
                # end first and look like a machine that powered off.
                process_group=0)
        except FileNotFoundError:
            self._close()
            raise NestedError('the tool "setpriv" is missing; install it '
                              'with: apt-get install util-linux') from None
        except BaseException:
            self._close()
            raise
        finally:
            for end in theirs.values():
                end.close()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        self.complaints = self._errors.read().decode(errors='replace').strip()
        self._close()

    def listen(self) -> None:
        """Pass everything on until the command or the emulator ends."""
        with selectors.DefaultSelector() as selector:
            for name, sock in self._sockets.items():
                selector.register(sock, selectors.EVENT_READ, name)
            while selector.get_map() and not self._complete():
                events = selector.select(self._patience())
                if time.monotonic() >= self.deadline and not self.timed_out:
                    # What is already on its way still comes through; then
                    # the sockets are at their end.
                    self.timed_out = True
                    self._kill()
                for key, _ in events:
                    assert isinstance(key.fileobj, socket.socket)
                    data = self._receive(key.fileobj)
                    if not data:
                        selector.unregister(key.fileobj)
                    self._take(key.data, data)

    def _kill(self) -> None:
        assert self._process is not None
        self._process.kill()

    def _patience(self) -> float | None:
        # No wait of the system's may be longer than 24 days; listen() asks
        # again.
        return None if self.timed_out else min(86400.0, max(
            0.0, self.deadline - time.monotonic()))

    def _complete(self) -> bool:
        return self.status is not None and all(
            stream.ended for stream in self.streams.values())

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        try:
            return sock.recv(CHUNK)
        except ConnectionResetError:
            return b''    # QEMU died with something of ours unread

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

    def _close(self) -> None:
        self._errors.close()
        for sock in self._sockets.values():
            sock.close()
