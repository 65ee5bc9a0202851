# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures our emulator beside the stock one (./bench)."""
