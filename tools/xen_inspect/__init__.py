# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer for the Xen overlay of a running guest.

`picture` needs QMP's answers only: neither a connection nor QEMU's library.
"""

from .answers import OVERLAY, SHARED_INFO, VCPU_INFO, Answers, UnknownAnswer
from .picture import picture

__all__ = ['OVERLAY', 'SHARED_INFO', 'VCPU_INFO', 'Answers', 'UnknownAnswer',
           'picture']
