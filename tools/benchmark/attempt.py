# SPDX-License-Identifier: GPL-2.0-or-later
"""An attempt at a run, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from .samples import Samples


@dataclass(frozen=True)
class Attempt:
    """Of a job's runs, in the job's order."""
    variant: str
    repeat: int
    # How many more are made if this one failed; if none, the job has failed.
    left: int
    # None: it failed, by `error`.
    samples: Samples | None
    error: str = ''
