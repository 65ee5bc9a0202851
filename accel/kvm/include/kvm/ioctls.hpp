// SPDX-License-Identifier: GPL-2.0-or-later
// Ioctls: the way to KVM's file descriptors.
//
// Not ioctl() itself: QEMU brackets its KVM ioctls (kvm_vm_ioctl,
// kvm_vcpu_ioctl in accel/kvm/kvm-all.c) to be able to hold them off, and
// unit tests have no KVM.
#pragma once

#include "abi/types.hpp"

namespace xovl::kvm
{

class Ioctls
{
public:
    Ioctls() = default;
    Ioctls(const Ioctls &) = delete;
    Ioctls &operator=(const Ioctls &) = delete;
    virtual ~Ioctls() = default;

    // Both answer 0 or more, or a negative errno.
    virtual int vm_ioctl(unsigned long request, void *arg) = 0;
    // Waits until the vCPU is out of KVM_RUN.
    virtual int vcpu_ioctl(abi::VcpuId vcpu, unsigned long request,
                           void *arg) = 0;
};

} // namespace xovl::kvm
