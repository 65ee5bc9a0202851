# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the Linux guest of ./run and looks at its overlay when it is ready.

    demonstration.py EMULATOR QEMU-ARGUMENTS...

A program of its own, because it runs where the guest's KVM is, which may be
a nested host. The guest's console goes to stdout. What QMP answers goes to
stderr, in one line that begins with ANSWERS.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = 'xen-overlay-answers: '

# What the guest says when there is something to look at; then it waits for
# a line before it powers off (tests/linux_guest/init, then=line).
READY = b'guest: done'


def main() -> int:
    """Run the guest to its end; QEMU's exit status."""
    sys.path.insert(0, str(ROOT / 'build/qemu-src/python'))
    from qemu.machine import QEMUMachine

    from xen_inspect.answers import (HOST_CLOCK, NAME, OVERLAY, SHARED_INFO,
                                     STATUS, VCPU_INFO)

    emulator, *arguments = sys.argv[1:]
    with QEMUMachine(emulator) as machine:
        machine.set_console()
        machine.add_args(*arguments)
        machine.launch()
        said = b''
        looked = False
        while True:
            text = machine.console_socket.recv(4096)
            if not text:
                break
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
            said = (said + text)[-4096:]
            if READY in said and not looked:
                looked = True
                answers = {
                    OVERLAY: machine.cmd(OVERLAY, verify=True),
                    SHARED_INFO: machine.cmd(SHARED_INFO),
                    VCPU_INFO: machine.cmd(VCPU_INFO),
                    NAME: machine.cmd(NAME),
                    STATUS: machine.cmd(STATUS),
                    HOST_CLOCK: time.time(),
                }
                print(ANSWERS + json.dumps(answers), file=sys.stderr,
                      flush=True)
                machine.console_socket.sendall(b'\n')
        machine.wait(timeout=60)
        log = machine.get_log() or ''
        sys.stderr.write(log)
        return machine.exitcode() or 0


if __name__ == '__main__':
    sys.exit(main())
