# SPDX-License-Identifier: GPL-2.0-or-later
"""The nested host: KVM with Xen support on a machine that has none."""
