// SPDX-License-Identifier: GPL-2.0-or-later
// KvmPort: KVM as the core's Hypervisor, by the KVM_XEN_HVM_SET_ATTR and
// KVM_XEN_VCPU_SET_ATTR ioctls (Linux, Documentation/virt/kvm/api.rst,
// sections 4.127 to 4.130).
#pragma once

#include <cstdint>

#include "core/ports.hpp"
#include "kvm/ioctls.hpp"

namespace xovl::kvm
{

class KvmPort final : public core::Hypervisor
{
public:
    // `capabilities`: what KVM_CHECK_EXTENSION says of KVM_CAP_XEN_HVM.
    KvmPort(Ioctls &ioctls, std::uint32_t capabilities)
        : ioctls_(ioctls), capabilities_(capabilities)
    {
    }

    [[nodiscard]] bool has_shared_info_hva() const override;
    core::Result<bool> has_vcpu_info_hva(abi::VcpuId vcpu) override;

    [[nodiscard]] const char *
    requirement(core::SharedInfoBackend backend) const override;
    [[nodiscard]] const char *
    requirement(core::DefaultVcpuInfoBackend backend) const override;

    core::Status set_shared_info_gfn(std::optional<abi::Gfn> gfn) override;
    core::Status set_shared_info_hva(void *page) override;
    core::Status set_vcpu_info_gpa(abi::VcpuId vcpu,
                                   std::optional<abi::Gpa> gpa) override;
    core::Status set_vcpu_info_hva(abi::VcpuId vcpu, void *area) override;
    core::Status set_long_mode(bool long_mode) override;
    core::Result<bool> long_mode() override;
    core::Result<std::optional<abi::Gfn>> shared_info_gfn() override;
    core::Result<const void *> shared_info_hva() override;
    core::Result<std::optional<abi::Gpa>>
    vcpu_info_gpa(abi::VcpuId vcpu) override;
    core::Result<const void *> vcpu_info_hva(abi::VcpuId vcpu) override;

private:
    Ioctls &ioctls_;
    std::uint32_t capabilities_;
};

} // namespace xovl::kvm
