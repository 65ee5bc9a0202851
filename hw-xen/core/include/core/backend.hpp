// SPDX-License-Identifier: GPL-2.0-or-later
// How the hypervisor is told where shared_info and vcpu_info are: the choice
// between what the kernel can do and what the user asked for.
//
// Three generations of KVM exist or were proposed (docs/kvm-generations.md);
// they are told apart by behaviour, not by version, because distributions
// backport.
#pragma once

#include <optional>

#include "abi/types.hpp"
#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::core
{

// What the user asked for; nullopt: the best that the kernel has.
struct BackendRequest {
    std::optional<SharedInfoBackend> shared_info;
    std::optional<DefaultVcpuInfoBackend> default_vcpu_info;
};

// Error(-ENOTSUP): the kernel cannot serve what was asked for.
Result<SharedInfoBackend>
choose_shared_info(const Hypervisor &hypervisor,
                   std::optional<SharedInfoBackend> requested);

// `has_vcpu_info_hva`: what Hypervisor::has_vcpu_info_hva says of a vCPU.
Result<DefaultVcpuInfoBackend>
choose_default_vcpu_info(const Hypervisor &hypervisor, bool has_vcpu_info_hva,
                         SharedInfoBackend shared_info,
                         std::optional<DefaultVcpuInfoBackend> requested);

} // namespace xovl::core
