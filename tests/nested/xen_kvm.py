#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Can this machine's KVM host Xen guests?  If not, the nested host must.

Needs nothing else of this package, so that it can be run by its path.
"""

import fcntl
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

# linux/kvm.h
KVM_API_VERSION = 12
KVM_GET_API_VERSION = 0xae00
KVM_CREATE_VM = 0xae01
KVM_CHECK_EXTENSION = 0xae03
KVM_CAP_XEN_HVM = 38
# What QEMU asks for before it emulates Xen.
NEEDED = {'HYPERCALL_MSR': 1 << 0, 'INTERCEPT_HCALL': 1 << 1,
          'SHARED_INFO': 1 << 2}

VARIABLE = 'XEN_OVERLAY_HOST'


@dataclass(frozen=True)
class XenKvm:
    """What was found.  capabilities are the bits of KVM_CAP_XEN_HVM."""
    usable: bool
    reason: str
    capabilities: int = 0


def available(device: str = '/dev/kvm') -> XenKvm:
    """Ask KVM itself; a version of Linux says little about its options."""
    def no(reason: str, capabilities: int = 0) -> XenKvm:
        return XenKvm(False, f'{device}: {reason}', capabilities)

    try:
        kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return no(error.strerror)
    try:
        version = fcntl.ioctl(kvm, KVM_GET_API_VERSION, 0)
        if version != KVM_API_VERSION:
            return no(f'API version {version}, not {KVM_API_VERSION}')
        bits = fcntl.ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM)
        missing = [name for name, bit in NEEDED.items() if not bits & bit]
        if missing:
            return no('KVM_CAP_XEN_HVM lacks ' + ', '.join(missing)
                      + ' (the kernel needs CONFIG_KVM_XEN)', bits)
        try:
            # In a container or a VM, KVM may answer every question and
            # still not run a guest.
            os.close(fcntl.ioctl(kvm, KVM_CREATE_VM, 0))
        except OSError as error:
            return no(f'cannot create a VM: {error.strerror}', bits)
        return XenKvm(True, f'{device} can host Xen guests', bits)
    except OSError as error:
        return no(f'is not KVM: {error.strerror}')
    finally:
        os.close(kvm)


@dataclass(frozen=True)
class Choice:
    """Where to run what needs such a KVM, and why there."""
    native: bool
    reason: str


def choose(env: Mapping[str, str] = os.environ,
           device: str = '/dev/kvm') -> Choice:
    """Natively where that works; XEN_OVERLAY_HOST=native|nested decides
    otherwise.  ValueError on any other value."""
    wish = env.get(VARIABLE, '')
    if wish in ('native', 'nested'):
        return Choice(wish == 'native', f'{VARIABLE}={wish}')
    if wish:
        raise ValueError(f'{VARIABLE}={wish}: must be "native" or "nested", '
                         'or unset to let the machine decide')
    found = available(device)
    return Choice(found.usable, found.reason)


def main() -> int:
    """Print what was found; status 0 if usable."""
    found = available(*sys.argv[1:2])
    print(f'{found.reason} (KVM_CAP_XEN_HVM={found.capabilities:#x})')
    return 0 if found.usable else 1


if __name__ == '__main__':
    sys.exit(main())
