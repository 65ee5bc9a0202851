# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress in a log and on a terminal."""

import contextlib
import io
import unittest

from builder import say


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class ProgressTest(unittest.TestCase):
    """A line per tenth of the way, or one line in place."""

    def shown(self, stream: io.StringIO, total: int) -> str:
        """What a whole way of `total` steps shows."""
        with contextlib.redirect_stderr(stream):
            progress = say.Progress('QEMU')
            for done in range(total + 1):
                progress.at(done, total)
            progress.end()
        return stream.getvalue()

    def test_log(self) -> None:
        for total, lines in ((0, 0), (1, 2), (3, 4), (1847, 11)):
            shown = self.shown(io.StringIO(), total)
            self.assertEqual(lines, shown.count('\n'), total)
            self.assertNotIn('\r', shown)
        self.assertIn('QEMU: 1847/1847 (0 s)\n', shown)

    def test_terminal(self) -> None:
        shown = self.shown(Terminal(), 1847)
        self.assertEqual(1, shown.count('\n'))
        self.assertTrue(shown.endswith('QEMU: 1847/1847 (0 s)\n'))


if __name__ == '__main__':
    unittest.main()
