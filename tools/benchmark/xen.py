# SPDX-License-Identifier: GPL-2.0-or-later
"""A benchmark guest on real Xen, where it does by itself what it can."""

from __future__ import annotations

import io

from builder.say import UserError

from .bed import GUESTS
from .samples import Samples, read_samples


def measured(name: str, append: str, vcpus: int, memory: int) -> Samples:
    """What it says."""
    from nested.errors import NestedError
    from xen_host.host import XenHost

    said = io.BytesIO()
    try:
        status = XenHost(vcpus=vcpus, memory_mib=memory, icount=True).run(
            GUESTS / f'{name}.elf', append, stdout=said)
    except NestedError as error:
        raise UserError(str(error)) from error
    text = said.getvalue().decode(errors='replace')
    if status:
        raise UserError(f'{name} on real Xen ended with status {status}: '
                        f'{text[-400:]}')
    return read_samples(text)
