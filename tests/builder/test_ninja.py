# SPDX-License-Identifier: GPL-2.0-or-later
"""What is seen of a build, with a real ninja."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from builder import ninja
from builder.say import UserError


class NinjaTest(unittest.TestCase):
    """Progress while it goes well, else the failed command and its words."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix='builder test.')
        self.addCleanup(scratch.cleanup)
        self.place = Path(scratch.name)

    def build(self, **commands: str) -> str:
        """Build a target for each command; returns what was shown."""
        text = 'rule sh\n  command = $command\n'
        before = ''
        for name, command in commands.items():
            text += f'build {name}: sh {before}\n  command = {command}\n'
            before = name
        (self.place / 'build.ninja').write_text(text)
        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            ninja.build(self.place, [*commands][-1:], 'all of it')
        return shown.getvalue()

    def failure(self, **commands: str) -> str:
        """The error's message."""
        with self.assertRaises(UserError) as caught:
            self.build(**commands)
        return str(caught.exception)

    def test_progress(self) -> None:
        commands = {'one': 'touch one', 'two': 'touch two'}
        # A user's own form of ninja's progress.
        with mock.patch.dict(os.environ, NINJA_STATUS='%p '):
            shown = self.build(**commands)
        self.assertIn('all of it: 1/2', shown)
        self.assertIn('all of it: 2/2', shown)
        self.assertEqual('', self.build(**commands))

    def test_failed_command(self) -> None:
        message = self.failure(one='echo fine && touch one',
                               two='echo "two.c:1: error" && false')
        self.assertIn('building all of it failed', message)
        self.assertIn('FAILED: two', message)
        self.assertIn('echo "two.c:1: error" && false', message)
        self.assertIn('\ntwo.c:1: error\n', message)
        self.assertNotIn('fine', message)

    def test_first_words_of_a_long_failure(self) -> None:
        message = self.failure(one='seq 1000 && false')
        self.assertIn('FAILED: one', message)
        self.assertIn('\n1\n2\n', message)
        self.assertLess(message.count('\n'), 70)

    def test_no_command_failed(self) -> None:
        (self.place / 'build.ninja').write_text('nonsense\n')
        with self.assertRaisesRegex(UserError, 'build.ninja:1:.*expected'):
            ninja.build(self.place, [], 'all of it')


if __name__ == '__main__':
    unittest.main()
