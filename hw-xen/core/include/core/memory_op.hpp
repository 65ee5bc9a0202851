// SPDX-License-Identifier: GPL-2.0-or-later
// HYPERVISOR_memory_op, as far as Xen's own pages show in the guest's memory
// by it: XENMEM_add_to_physmap, its batch, and XENMEM_remove_from_physmap.
//
// Checks, their order and their errors are Xen's (xen/common/memory.c,
// xen/arch/x86/mm/p2m.c).  Where an item of a batch fails, the others still
// count, and its error is in the guest's array; all that was asked for is
// carried out as one change in the end, so that a batch of any size moves
// each page once.
#pragma once

#include <cstdint>
#include <optional>

#include "core/overlay.hpp"
#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::core
{

// Who makes the hypercall.
struct Caller {
    GuestMemory &memory;
    std::uint16_t domid;
    bool long_mode; // the caller's, not that of shared_info
};

// Whether it is one of these operations: known without a lock.
[[nodiscard]] bool is_memory_op(std::uint64_t command);

// What the guest is told; nullopt: not one of these operations.
std::optional<Status> memory_op(Overlay &overlay, AddressSpace &space,
                                const Caller &caller, std::uint64_t command,
                                std::uint64_t argument);

} // namespace xovl::core
