# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance guest on several subjects, and the table of it."""
