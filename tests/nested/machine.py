# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulator: started, listened to, and ended whatever happens."""

import os
import selectors
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Protocol, Self

from nested.errors import NestedError

CHUNK = 1 << 16


class Command(Protocol):
    """What makes the emulator's command line."""

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """The command; ports are names and inherited socket descriptors."""


class Machine:
    """Use as a context manager; on the way out the emulator is dead.

    channels are the names of its sockets.  What comes out of them goes to
    _take(), until _complete(); both are a derived class's.

    Afterwards: timed_out, complaints (what the emulator itself said)."""

    def __init__(self, outer: Command, image: int, channels: Iterable[str],
                 time_limit: float) -> None:
        self.outer = outer
        self.image = image
        self.channels = channels
        self.started = time.monotonic()
        self.deadline = self.started + time_limit
        self.timed_out = False
        self.complaints = ''
        self._sockets: dict[str, socket.socket] = {}
        # A file: a pipe that nobody empties would stop the emulator.
        # pylint: disable-next=consider-using-with
        self._errors = open(os.memfd_create('errors'), 'w+b')
        self._process: subprocess.Popen[bytes] | None = None

    def _take(self, name: str, data: bytes) -> None:
        """Bytes from a channel; none at its end."""
        raise NotImplementedError

    def _complete(self) -> bool:
        """Whether there is nothing more to wait for."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        theirs = {}
        for name in self.channels:
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
        """Take everything until it is complete or the emulator ends."""
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

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        try:
            return sock.recv(CHUNK)
        except ConnectionResetError:
            return b''    # QEMU died with something of ours unread

    def _close(self) -> None:
        self._errors.close()
        for sock in self._sockets.values():
            sock.close()
