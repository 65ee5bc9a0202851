# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the nested host itself.

From the folder tests/: /usr/bin/python3 -m unittest discover -t . nested
"""
