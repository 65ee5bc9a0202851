# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the table's making."""
