# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are: all derived from the root of the repository.

Only folders below BUILD are ever written to.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build'
NESTED = BUILD / 'nested'
LAYERS = NESTED / 'layers'
LOGS = NESTED / 'logs'
KERNELS = NESTED / 'kernels'
EMULATOR = BUILD / 'qemu-system-x86_64'
INIT = Path(__file__).resolve().parent / 'init'
