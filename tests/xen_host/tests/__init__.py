# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the bed with real Xen."""
