// SPDX-License-Identifier: GPL-2.0-or-later
// The content of a vcpu_info: what is written into it besides events and
// time, which are the hypervisor's.
//
// `area` is kVcpuInfoSize bytes of memory that the guest and the hypervisor
// write too, aligned to 4 bytes at least.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "abi/types.hpp"

namespace xovl::core
{

using VcpuArea = std::array<std::byte, abi::kVcpuInfoSize>;

VcpuArea read_area(const void *area);
void write_area(void *area, const VcpuArea &content);

// What a vcpu_info has that was in no slot before (vcpu_info_populate in
// xen/common/domain.c): nothing, and upcalls masked.
VcpuArea fresh_area();

// The vcpu_info that the hypervisor has of a vCPU beyond the last slot until
// it registers one, and that the guest never sees.  All of its selector is
// set, in either layout: so the hypervisor finds that any event's word is
// known to be pending already, leaves it at the bit in shared_info and calls
// nobody, who could not do anything about it.
VcpuArea unseen_area();

// Takes over the time information from another vCPU's vcpu_info; false if
// that has none.  Good until the vCPU runs, which is when the hypervisor
// writes it.
bool take_time(VcpuArea &to, const void *from);

// Every word of pending ports may have news: the selector all ones, and then
// the upcall (map_guest_area in xen/common/domain.c).  Whether the upcall was
// not pending before.
bool mark_all_pending(void *area, bool long_mode);

// These words of pending ports have news, and if there are any, the upcall is
// pending.  Whether it is, then.
bool mark_pending(void *area, bool long_mode, std::uint64_t words);

} // namespace xovl::core
