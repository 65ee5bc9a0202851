# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects that two builds have in common are compiled once: ccache.

Nine tenths of a QEMU with our patches and of one without are the same.  The
compiler is taken by way of PATH, so that ninja's commands are what they are
without it: whoever runs ninja by hand rebuilds nothing.
"""

from __future__ import annotations

import os

from .paths import COMPILER_CACHE, ROOT

# Debian's links, named like the compilers.
LINKS = '/usr/lib/ccache'


def environment() -> dict[str, str]:
    """The environment of a build that shares its objects."""
    return {
        **os.environ,
        'PATH': f'{LINKS}:{os.environ.get("PATH", os.defpath)}',
        'CCACHE_DIR': str(COMPILER_CACHE),
        # Two trees side by side: absolute paths below here are made
        # relative, and the folder of the build is not part of the question.
        'CCACHE_BASEDIR': str(ROOT),
        'CCACHE_NOHASHDIR': 'true',
        # Some builds of QEMU; the least recently used goes first.
        'CCACHE_MAXSIZE': '1G',
    }
