# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine with Xen at work: two consoles, and the guest's words."""

import re
from typing import BinaryIO

from nested.machine import Command, Machine
from nested.stream import MarkedStream
from xen_host.console import Lines, guest_text


class Session(Machine):
    """Writes the guest's text to one file and all there is to another.

    Afterwards also: text (the guest's), reason (why its domain shut down;
    None if it did not, or never ran)."""

    def __init__(self, outer: Command, image: int, mark: bytes,
                 stdout: BinaryIO, log: BinaryIO, time_limit: float) -> None:
        super().__init__(outer, image, ('xen', 'dom0'), time_limit)
        self.text = b''
        self.reason: int | None = None
        self._stdout = stdout
        self._log = log
        self._streams = {name: MarkedStream(mark) for name in self.channels}
        self._lines = {name: Lines() for name in self.channels}

    def _complete(self) -> bool:
        return all(stream.ended for stream in self._streams.values())

    def _take(self, name: str, data: bytes) -> None:
        stream, lines = self._streams[name], self._lines[name]
        if stream.ended:
            return
        taken = lines.feed(stream.feed(data) if data else stream.close())
        if stream.ended or not data:
            taken += lines.close()
        for line in taken:
            if name == 'xen':
                self._xen(line)
            else:
                self._dom0(line)

    def _xen(self, line: bytes) -> None:
        self._log.write(line + b'\n')
        text = guest_text(line)
        if text is not None:
            self.text += text
            self._stdout.write(text)
            self._stdout.flush()

    def _dom0(self, line: bytes) -> None:
        self._log.write(b'(dom0) ' + line + b'\n')
        # xl's, since there is an xl.
        found = re.match(rb'Domain \d+ has shut down, reason code (\d+)',
                         line)
        if found:
            self.reason = int(found.group(1))
