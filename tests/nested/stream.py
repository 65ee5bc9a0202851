# SPDX-License-Identifier: GPL-2.0-or-later
"""Output with a mark at its end."""

import secrets


def new_mark() -> bytes:
    """Random, so that no command writes it by chance or on purpose.

    The first byte is rare in text, lest the end of a line be held back, and
    nowhere else in the mark, lest a part of it hide the whole behind it."""
    return b'\xff nested-end ' + secrets.token_hex(16).encode()


class MarkedStream:
    """Passes bytes on as they come and notices the mark.

    Held back is only what may be the beginning of the mark: output is
    live, even a prompt without a newline."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.held = b''
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the port, return those to pass on."""
        data = self.held + data
        self.held = b''
        at = data.find(self.mark)
        if at >= 0:
            self.ended = True
            return data[:at]
        for size in range(min(len(self.mark) - 1, len(data)), 0, -1):
            if data.endswith(self.mark[:size]):
                self.held = data[-size:]
                return data[:-size]
        return data

    def close(self) -> bytes:
        """The port is gone: what was held back was output after all."""
        rest, self.held = self.held, b''
        return rest
