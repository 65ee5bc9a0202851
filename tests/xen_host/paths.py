# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, beside those of the nested host."""

from pathlib import Path

from nested.paths import BUILD

XEN_HOST = BUILD / 'xen-host'
LAYERS = XEN_HOST / 'layers'
LOGS = XEN_HOST / 'logs'
PACKAGES = XEN_HOST / 'xen'
KERNELS = XEN_HOST / 'kernels'
INIT = Path(__file__).resolve().parent / 'init'
