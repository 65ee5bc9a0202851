// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/backend.hpp"

#include <cerrno>

namespace xovl::core
{

Result<SharedInfoBackend>
choose_shared_info(const Hypervisor &hypervisor,
                   std::optional<SharedInfoBackend> requested)
{
    const bool has_hva = hypervisor.has_shared_info_hva();
    if (!requested) {
        return has_hva ? SharedInfoBackend::Hva : SharedInfoBackend::Gfn;
    }
    if (*requested == SharedInfoBackend::Hva && !has_hva) {
        return Error(-ENOTSUP);
    }
    return *requested;
}

Result<DefaultVcpuInfoBackend>
choose_default_vcpu_info(const Hypervisor &hypervisor, bool has_vcpu_info_hva,
                         SharedInfoBackend shared_info,
                         std::optional<DefaultVcpuInfoBackend> requested)
{
    // The classic kernel interface goes together: who asks for the page by
    // frame gets the slots by guest address, as QEMU always did it.
    if (requested == DefaultVcpuInfoBackend::Gpa ||
        (!requested && shared_info == SharedInfoBackend::Gfn)) {
        return DefaultVcpuInfoBackend::Gpa;
    }

    // A kernel that knows shared_info's HVA but not vcpu_info's finds the
    // default slot by itself: that is the third generation.
    const bool finds_slot =
        hypervisor.has_shared_info_hva() && !has_vcpu_info_hva;

    if (!requested) {
        return finds_slot ? DefaultVcpuInfoBackend::Kernel
                          : DefaultVcpuInfoBackend::Hva;
    }
    const bool served = *requested == DefaultVcpuInfoBackend::Kernel
                            ? finds_slot
                            : has_vcpu_info_hva;
    if (!served) {
        return Error(-ENOTSUP);
    }
    return *requested;
}

} // namespace xovl::core
