// SPDX-License-Identifier: GPL-2.0-or-later
// RealKvm: a VM with one vCPU in this machine's KVM, and the way to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "abi/types.hpp"
#include "kvm/ioctls.hpp"

namespace xovl::unit
{

class RealKvm final : public kvm::Ioctls
{
public:
    // Null where the machine has no KVM that emulates Xen: `why` says what
    // is missing.
    static std::unique_ptr<RealKvm> create(std::string &why);
    ~RealKvm() override;

    // KVM_CHECK_EXTENSION(KVM_CAP_XEN_HVM).
    [[nodiscard]] std::uint32_t capabilities() const { return capabilities_; }

    int vm_ioctl(unsigned long request, void *arg) override;
    // Of vCPU 0; there are no others.
    int vcpu_ioctl(abi::VcpuId vcpu, unsigned long request, void *arg) override;

private:
    RealKvm() = default;

    int kvm_ = -1;
    int vm_ = -1;
    int vcpu_ = -1;
    std::uint32_t capabilities_ = 0;
};

} // namespace xovl::unit
