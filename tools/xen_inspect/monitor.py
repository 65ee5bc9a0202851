# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP connection to look through, by QEMU's own library."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import textwrap
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from .answers import (HOST_CLOCK, NAME, OVERLAY, SHARED_INFO, STATUS,
                      VCPU_INFO, UnknownAnswer)

LIBRARY = (Path(__file__).resolve().parents[2] / 'build' / 'qemu-src'
           / 'python')


class Unreachable(Exception):
    """There is nothing to look at; the message says why."""


def library() -> ModuleType:
    """QEMU's qemu.qmp, from its source tree."""
    if not (LIBRARY / 'qemu' / 'qmp' / '__init__.py').is_file():
        raise Unreachable(f'QEMU\'s source is not in {LIBRARY.parent}, and '
                          'with it the qemu.qmp library: build first: ./run')
    # First, so that it is not another version's.
    if sys.path[0] != str(LIBRARY):
        sys.path.insert(0, str(LIBRARY))
    import qemu.qmp
    return qemu.qmp


class Monitor:
    """Use as `async with`.  Every failure to connect, or of the connection
    later, is an Unreachable; nothing takes longer than `timeout` seconds.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._qmp = library()
        self._client = self._qmp.QMPClient()

    async def __aenter__(self) -> Monitor:
        # A blocking call: there is nothing else to do yet.
        connection = connect(self._address, self._timeout)
        try:
            await asyncio.wait_for(self._client.connect(connection),
                                   self._timeout)
        except asyncio.TimeoutError:
            connection.close()
            if self._client.greeting:
                raise Unreachable(self._no_answer('qmp_capabilities')
                                  ) from None
            raise Unreachable(
                f'{self._address}: no QMP greeting within '
                f'{self._timeout:g} s.  A QMP socket serves one client at a '
                'time: is another one connected?  Give QEMU one more -qmp '
                'socket for this') from None
        except self._qmp.ConnectError as error:
            connection.close()
            raise Unreachable(self._no_session(error.exc)) from error
        return self

    def _no_session(self, cause: Exception) -> str:
        if isinstance(cause, (EOFError, OSError)):
            return (f'{self._address}: the connection was closed before QMP\'s'
                    ' greeting: this is no QMP server, or QEMU just ended')
        return (f'{self._address}: what answers there is not QMP '
                f'({_brief(cause)}).  QEMU opens a QMP socket with '
                '-qmp unix:PATH,server=on,wait=off')

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._client.disconnect()
        except Exception:       # pylint: disable=broad-except
            # What broke the connection has been told already.
            pass

    async def look(self, verify: bool) -> dict[str, Any]:
        """Answers.  If Xen is not enabled, without the two others'."""
        answers: dict[str, Any] = {}
        answers[NAME] = await self._ask(NAME)
        answers[STATUS] = await self._ask(STATUS)
        # An absent argument is what "without verify" is in the schema.
        overlay = await self._ask(OVERLAY, {'verify': True} if verify else {})
        answers[OVERLAY] = overlay
        if not isinstance(overlay, dict) or 'enabled' not in overlay:
            raise UnknownAnswer(f'{OVERLAY}: there is no member "enabled"')
        if overlay['enabled']:
            answers[SHARED_INFO] = await self._ask(SHARED_INFO)
            answers[VCPU_INFO] = await self._ask(VCPU_INFO)
        answers[HOST_CLOCK] = time.time()
        # Nobody reads the events; for days of --watch they would pile up.
        self._client.events.clear()
        return answers

    async def pause(self, seconds: float) -> None:
        """Wait, but not for longer than there is a connection."""
        if self._client.runstate != self._qmp.Runstate.RUNNING:
            raise Unreachable(await self._gone())
        try:
            await asyncio.wait_for(self._client.runstate_changed(), seconds)
        except asyncio.TimeoutError:
            return
        raise Unreachable(await self._gone())

    async def _ask(self, command: str,
                   arguments: dict[str, object] | None = None) -> Any:
        try:
            return await asyncio.wait_for(
                self._client.execute(command, arguments or {}),
                self._timeout)
        except asyncio.TimeoutError:
            raise Unreachable(self._no_answer(command)) from None
        except self._qmp.ExecuteError as error:
            if error.error_class == 'CommandNotFound':
                raise Unreachable(
                    f'this QEMU has no {command}: it is not one that is '
                    'built by ./run (build/qemu-system-x86_64)') from error
            raise Unreachable(f'{command}: QEMU says: {error}') from error
        except (self._qmp.ExecInterruptedError,
                self._qmp.StateError) as error:
            raise Unreachable(await self._gone()) from error
        except self._qmp.QMPError as error:
            raise UnknownAnswer(f'{command}: {_brief(error)}') from error

    def _no_answer(self, command: str) -> str:
        return (f'{self._address}: QEMU did not answer {command} within '
                f'{self._timeout:g} s (--timeout)')

    async def _gone(self) -> str:
        """Why, as far as it was said."""
        try:
            await self._client.disconnect()
        except self._qmp.QMPError as error:
            raise Unreachable(f'{self._address}: the connection broke: '
                              f'{_brief(error)}') from error
        except (EOFError, OSError):
            pass
        for event in self._client.events.clear():
            if event.get('event') == 'SHUTDOWN':
                reason = event.get('data', {}).get('reason', 'no reason given')
                return f'the guest was shut down ({reason})'
        return 'the guest is gone: QEMU closed the connection'


def _brief(error: Exception) -> str:
    """The library's messages quote all that was sent."""
    return textwrap.shorten(str(error), 200)


def connect(address: str, timeout: float) -> socket.socket:
    """Connect to a UNIX socket, or to HOST:PORT where there is no such file.
    """
    host, colon, port = address.rpartition(':')
    try:
        if colon and port.isdecimal() and not Path(address).exists():
            connection = socket.create_connection(
                (host.strip('[]') or 'localhost', int(port)), timeout)
        else:
            connection = _connect_unix(address, timeout)
    except FileNotFoundError:
        raise Unreachable(f'{address}: there is no such socket.  Is the guest '
                          'running, with -qmp unix:PATH,server=on,wait=off?'
                          ) from None
    except ConnectionRefusedError:
        raise Unreachable(f'{address}: nobody listens there.  Has QEMU ended?'
                          ) from None
    except TimeoutError:
        raise Unreachable(
            f'{address}: not connected within {timeout:g} s.  A QMP socket '
            'serves one client at a time: are others waiting?') from None
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise Unreachable(f'{address}: {reason}') from None
    connection.setblocking(False)
    return connection


def _connect_unix(path: str, timeout: float) -> socket.socket:
    """Wait where the queue of a busy socket is full.

    Such a connect() of a non-blocking socket fails with EAGAIN, which Python
    and asyncio take for "in progress"; a blocking one waits, as it should.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    limit = int(timeout), int(timeout % 1 * 1_000_000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                          struct.pack('@ll', *limit))
    try:
        connection.connect(path)
    except BlockingIOError:
        connection.close()
        raise TimeoutError from None
    except BaseException:
        connection.close()
        raise
    return connection
