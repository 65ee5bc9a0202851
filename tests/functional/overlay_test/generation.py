# SPDX-License-Identifier: GPL-2.0-or-later
"""Which generation this machine's KVM is of (docs/kvm-generations.md).

Asked of KVM itself, so that a test does not have to believe the device.
"""

import errno
import fcntl
import functools
import os
import struct
from dataclasses import dataclass

from nested import xen_kvm

# linux/kvm.h
KVM_CREATE_VCPU = 0xae41
KVM_XEN_VCPU_GET_ATTR = 0xc048aeca
KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA = 9
KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA = 1 << 8
# struct kvm_xen_vcpu_attr
ATTR = struct.Struct('H6x64s')


@dataclass(frozen=True)
class Generation:
    """What the device is to choose by itself on such a KVM."""
    name: str
    shared_info: str
    default_vcpu_info: str

    def __str__(self) -> str:
        return self.name


GFN = Generation('gfn', 'gfn', 'gpa')
HVA = Generation('hva', 'hva', 'hva')
KERNEL = Generation('kernel', 'hva', 'kernel')
# The kernels of the nested host (tests/nested/linux.py).
OF_KERNEL = {'mainline': HVA, 'gfn': GFN, 'default-slot': KERNEL,
             'newest': HVA, 'default-slot-newest': KERNEL}


@functools.cache
def generation() -> Generation:
    """Of the KVM of the machine that we run on."""
    found = xen_kvm.available()
    if not found.capabilities & KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA:
        return GFN
    kvm = os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC)
    fds = [kvm]
    try:
        fds.append(fcntl.ioctl(kvm, xen_kvm.KVM_CREATE_VM, 0))
        fds.append(fcntl.ioctl(fds[-1], KVM_CREATE_VCPU, 0))
        fcntl.ioctl(fds[-1], KVM_XEN_VCPU_GET_ATTR,
                    ATTR.pack(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA, b''))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return KERNEL
    finally:
        for fd in reversed(fds):
            os.close(fd)
    return HVA
