# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared libraries of programs that are not installed.

ldd would look for them in the system, and run the system's loader.
"""

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from nested.errors import NestedError

# glibc loads it by itself when a thread is cancelled, and aborts without.
LOADED_LATE = ('libgcc_s.so.1',)


def needed(elf: Path) -> list[str]:
    """The names that a program or library says it needs."""
    try:
        done = subprocess.run(['readelf', '--dynamic', '--wide', elf],
                              check=True, capture_output=True, text=True,
                              env={'LC_ALL': 'C', 'PATH': '/usr/bin:/bin'})
    except FileNotFoundError:
        raise NestedError('the tool "readelf" is missing; install it with: '
                          'apt-get install binutils') from None
    except subprocess.CalledProcessError as error:
        raise NestedError(f'{elf}: {error.stderr.strip()}') from error
    return re.findall(r'\(NEEDED\).*\[(.+)\]', done.stdout)


def closure(programs: Iterable[Path],
            folders: Sequence[Path]) -> dict[str, Path]:
    """All libraries that programs need, by name."""
    found: dict[str, Path] = {}
    todo = [(name, 'glibc') for name in LOADED_LATE]
    todo += [(name, str(program)) for program in programs
             for name in needed(program)]
    while todo:
        name, user = todo.pop()
        if name in found:
            continue
        path = _find(name, user, folders)
        found[name] = path
        todo += [(other, name) for other in needed(path)]
    return found


def _find(name: str, user: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise NestedError(f'{name}, needed by {user}, is not in '
                      f'{" or ".join(map(str, folders))}')
