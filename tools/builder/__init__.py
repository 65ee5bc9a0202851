# SPDX-License-Identifier: GPL-2.0-or-later
"""From a clean clone to a built emulator: packages, QEMU's source, builds."""
