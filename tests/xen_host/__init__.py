# SPDX-License-Identifier: GPL-2.0-or-later
"""Real Xen, in an emulated machine, with one bare-metal guest on it."""
