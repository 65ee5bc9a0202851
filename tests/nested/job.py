# SPDX-License-Identifier: GPL-2.0-or-later
"""The job: what init runs inside, written as a shell script."""

import os
import re
from collections.abc import Mapping, Sequence

from nested.errors import NestedError

# Where init looks for it; see the script "init".
JOB = '/nested/job'
END = '/nested/end'
STDIN = '/nested/stdin'

# Names for places and agents outside that do not exist inside.
OUTSIDE_ONLY = ('TMPDIR', 'TEMP', 'TMP', 'XDG_RUNTIME_DIR', 'LD_PRELOAD',
                'SSH_AUTH_SOCK', 'DBUS_SESSION_BUS_ADDRESS', 'DISPLAY')


def quote(word: str) -> bytes:
    """One word of a shell command, whatever bytes it holds but NUL."""
    raw = os.fsencode(word)
    if b'\0' in raw:
        raise NestedError(f'{word!r}: a command cannot hold a NUL byte')
    return b"'" + raw.replace(b"'", b"'\\''") + b"'"


def inner_environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """The command's environment: the caller's, unless env is given."""
    if env is None:
        result = {name: value for name, value in os.environ.items()
                  if name not in OUTSIDE_ONLY}
    else:
        result = dict(env)
    result.setdefault('PATH', os.defpath)
    result['PATH'] += ':/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
    # Inside, KVM is at hand.  Without this a command that was told to use
    # the nested host would start another one inside.
    result['XEN_OVERLAY_HOST'] = 'native'
    return result


def script(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> bytes:
    """The script that becomes the command.

    The environment goes through env(1) rather than "export": names such as
    BASH_FUNC_x%% are no shell names, but fine for execve()."""
    if not argv:
        raise NestedError('no command to run in the nested host')
    if '=' in argv[0]:
        raise NestedError(f'{argv[0]}: env(1) would take a command with "=" '
                          'in its name for a variable; give it another name')
    bad = [name for name in env if not name or re.search('[=\0]', name)]
    if bad:
        raise NestedError(f'{bad[0]!r} is no name for a variable')
    folder = quote(cwd)
    words = [b'exec', b'env', b'-i']
    words += [quote(f'{name}={value}') for name, value in env.items()]
    words += [quote(word) for word in argv]
    return b'\n'.join([
        b'# The folder may have had nothing in it worth taking along.',
        b'mkdir -p ' + folder + b' && cd ' + folder + b' || exit 125',
        b' '.join(words), b''])
