# SPDX-License-Identifier: GPL-2.0-or-later
"""Xen's console: the guest's lines found among all others.

    (XEN) d1v0 Triple fault - invoking HVM shutdown action 1
    (d1) VERDICT: PASS remap: 100 remaps
"""

# The first domain that is made; dom0 is the other one.
PREFIX = b'(d1) '

# Xen gathers what a guest writes to port 0xe9 up to a newline, but never
# more than this (DOMAIN_PBUF_SIZE - 1), and prints each piece as a line.
LONGEST_PIECE = 199


class Lines:
    """Bytes into lines, without their ends."""

    def __init__(self) -> None:
        self._begun = b''

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete."""
        *lines, self._begun = (self._begun + data).split(b'\n')
        return [line.rstrip(b'\r') for line in lines]

    def close(self) -> list[bytes]:
        """What was begun and never completed."""
        rest, self._begun = self._begun, b''
        return [rest] if rest else []


def guest_text(line: bytes) -> bytes | None:
    """What the guest wrote, if it is the guest's line: as the guest wrote
    it, so without a newline where Xen cut a long line into pieces."""
    # Not only at the beginning: dom0's kernel writes there before its own
    # console works, and need not end a line.
    _, prefix, text = line.partition(PREFIX)
    if not prefix:
        return None
    return text if len(text) == LONGEST_PIECE else text + b'\n'
