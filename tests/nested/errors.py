# SPDX-License-Identifier: GPL-2.0-or-later
"""The one exception of this package, and the statuses of a failed run."""

# As timeout(1) has it, so that scripts know it already.
STATUS_TIME_LIMIT = 124
# The bed itself failed: what the command would have said is unknown.
STATUS_HOST_FAILED = 125


class NestedError(Exception):
    """The nested host cannot be started; the text says what to do."""
