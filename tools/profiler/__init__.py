# SPDX-License-Identifier: GPL-2.0-or-later
"""Where instructions go: tools/profile."""
