# SPDX-License-Identifier: GPL-2.0-or-later
"""The mark is found wherever it is cut, and nothing else is held back."""

import unittest

from nested.stream import MarkedStream, new_mark

MARK = b'\xff mark'


class StreamTest(unittest.TestCase):
    """Output and mark, in pieces of every size."""

    def test_all_cuts(self) -> None:
        for output in (b'', b'text', b'text\n', b'\xff\xff m', MARK[:-1],
                       b'\xff mar\xff m', bytes(range(256))):
            for size in range(1, 20):
                with self.subTest(output=output, size=size):
                    stream = MarkedStream(MARK)
                    sent = output + MARK
                    got = b''.join(stream.feed(sent[at:at + size])
                                   for at in range(0, len(sent), size))
                    self.assertEqual(got, output)
                    self.assertTrue(stream.ended)

    def test_prompt_is_live(self) -> None:
        stream = MarkedStream(MARK)
        self.assertEqual(stream.feed(b'login: '), b'login: ')
        self.assertEqual(stream.feed(b'line\n'), b'line\n')

    def test_lost_port_gives_back_what_was_held(self) -> None:
        stream = MarkedStream(MARK)
        self.assertEqual(stream.feed(b'text\xff m'), b'text')
        self.assertEqual(stream.close(), b'\xff m')
        self.assertFalse(stream.ended)

    def test_marks_differ(self) -> None:
        self.assertNotEqual(new_mark(), new_mark())
