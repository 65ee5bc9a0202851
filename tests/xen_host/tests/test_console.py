# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's text comes out of Xen's console as the guest wrote it."""

import io
import unittest
from unittest import mock

from xen_host.console import LONGEST_PIECE, Lines, guest_text
from xen_host.session import Session

MARK = b'\xff nested-end 0123'


def printed_by_xen(text: bytes) -> list[bytes]:
    """What Xen makes of a guest's writes to port 0xe9."""
    lines = []
    piece = b''
    for byte in text:
        if byte != ord('\n'):
            piece += bytes([byte])
        if len(piece) == LONGEST_PIECE or byte == ord('\n'):
            lines.append(b'(d1) ' + piece)
            piece = b''
    return lines


class ConsoleTest(unittest.TestCase):
    """Lines, and whose they are."""

    def test_lines_in_any_pieces(self) -> None:
        for size in (1, 2, 3, 100):
            data = b'one\r\n\r\ntwo\n three'
            lines = Lines()
            found = []
            for at in range(0, len(data), size):
                found += lines.feed(data[at:at + size])
            self.assertEqual([b'one', b'', b'two'], found)
            self.assertEqual([b' three'], lines.close())
            self.assertEqual([], lines.close())

    def test_whose_lines(self) -> None:
        for line, text in (
                (b'(d1) READY', b'READY\n'),
                (b'(d1) ', b'\n'),
                (b'(d1) it says (d1) itself', b'it says (d1) itself\n'),
                (b'[    0.0] begun (d1) READY', b'READY\n'),
                (b'(XEN) d1v0 Triple fault - invoking HVM shutdown', None),
                (b'(d10) another', None),
                (b'(d0) dom0', None), (b'', None)):
            self.assertEqual(text, guest_text(line), line)

    def test_long_lines_are_whole_again(self) -> None:
        for length in (198, 199, 200, 397, 398, 399, 1000):
            text = b'x' * length + b'\nVERDICT\n'
            pieces = [guest_text(line) for line in printed_by_xen(text)]
            self.assertEqual(text, b''.join(filter(None, pieces)), length)


class SessionTest(unittest.TestCase):
    """Two consoles; no emulator."""

    def setUp(self) -> None:
        self.out = io.BytesIO()
        self.log = io.BytesIO()
        self.session = Session(mock.Mock(), -1, MARK, self.out, self.log, 1)
        self.addCleanup(self.session._close)    # pylint: disable=W0212

    def take(self, name: str, data: bytes) -> None:
        """Bytes from a console."""
        self.session._take(name, data)          # pylint: disable=W0212

    def complete(self) -> bool:
        """Whether the session waits for nothing more."""
        return self.session._complete()         # pylint: disable=W0212

    def test_guest_text_is_live(self) -> None:
        self.take('xen', b'(XEN) Xen version\n(d1) REA')
        self.assertEqual(b'', self.out.getvalue())
        self.take('xen', b'DY\r\n(XEN)')
        self.assertEqual(b'READY\n', self.out.getvalue())
        self.assertEqual(b'READY\n', self.session.text)

    def test_log_has_everything(self) -> None:
        self.take('xen', b'(XEN) Xen\r\n(d1) guest\r\n')
        self.take('dom0', b'Parsing config\r\n(d1) not the guest\n')
        self.take('dom0', b'')
        self.take('xen', b'cut off')
        self.take('xen', b'')
        self.assertEqual(
            b'(XEN) Xen\n(d1) guest\n(dom0) Parsing config\n'
            b'(dom0) (d1) not the guest\ncut off\n', self.log.getvalue())
        self.assertEqual(b'guest\n', self.out.getvalue())

    def test_complete_with_both_marks(self) -> None:
        self.take('dom0', b'last\r\n' + MARK)
        self.assertFalse(self.complete())
        self.take('xen', b'(d1) last words\n' + MARK[:5])
        self.assertFalse(self.complete())
        self.take('xen', MARK[5:] + b'(d1) of no interest\n')
        self.assertTrue(self.complete())
        self.assertEqual(b'last words\n', self.out.getvalue())
        self.assertIsNone(self.session.reason)

    def test_why_the_domain_ended(self) -> None:
        self.take('dom0', b'Waiting for domain guest (domid 1) to die\n'
                  b'Domain 1 has shut down, reason code 3 0x3\n'
                  b'Action for shutdown reason code 0 is destroy\n')
        self.assertEqual(3, self.session.reason)


if __name__ == '__main__':
    unittest.main()
