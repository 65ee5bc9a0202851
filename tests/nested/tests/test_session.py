# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a machine that may run for as long as its user likes."""

import io
import math
import selectors
import socket
import unittest
from unittest import mock

from nested import session
from nested.outer import Outer


class PatienceTest(unittest.TestCase):
    """epoll refuses to wait for longer than 24 days."""

    def test_long_limits(self) -> None:
        for limit in (1.0, 10 * 365 * 86400.0, math.inf):
            waiting = session.Session(
                mock.Mock(spec=Outer), -1, b'', io.BytesIO(),
                io.BytesIO(), None, limit)
            # pylint: disable-next=protected-access
            patience = waiting._patience()
            # pylint: disable-next=protected-access
            waiting._close()
            assert patience is not None
            self.assertLessEqual(patience, limit)
            here, there = socket.socketpair()
            with here, there, selectors.DefaultSelector() as selector:
                selector.register(here, selectors.EVENT_READ)
                there.send(b'x')
                self.assertTrue(selector.select(patience))


if __name__ == '__main__':
    unittest.main()
