// SPDX-License-Identifier: GPL-2.0-or-later
// Finding Xen and calling it.
#pragma once

#include <cstdint>

#include "cpu.hpp"

namespace xovl::guest
{

// Finds Xen's CPUID leaves and makes a first hypercall, so that hypercall() may
// be used. Ends the guest with an error if there is no Xen: whatever was to be
// tested is not there.
void xen_find();

// Has the hypercall page filled, which also makes the hypervisor latch this
// guest's width. Calls do not go by that page, so a guest can do without.
void xen_write_msr();

// Both of the above, as most guests do.
void xen_init();

// Writes the hypercall page's MSR again, as a 32-bit or a 64-bit guest would.
// The hypervisor latches that width, and in between no hypercall is made that
// would tell anybody else of it. After xen_init(); a 32-bit guest stays one.
void latch_width(unsigned bits);

// Whether xen_find() is through, so that hypercall() may be used.
bool xen_ready();

// The version that the hypervisor says it has, as XENVER_version tells it.
[[nodiscard]] std::uint32_t xen_version();

[[nodiscard]] constexpr std::uint32_t xen_release(std::uint32_t major,
                                                  std::uint32_t minor)
{
    return major << 16 | minor;
}

// This CPU's vCPU id, from Xen's leaves; `otherwise` where they do not say.
[[nodiscard]] std::uint32_t xen_vcpu_id(std::uint32_t otherwise);

// Returns what Xen returned: 0 or more, or a negative Xen errno.
std::intptr_t hypercall(std::uint32_t number, Word a1 = 0, Word a2 = 0,
                        Word a3 = 0, Word a4 = 0, Word a5 = 0);

// The same from a 32-bit code segment, whatever this guest's width.
std::intptr_t hypercall_as_32_bit(std::uint32_t number, Word a1, Word a2);

// Registers the vcpu_info of a vCPU: by its place, or one of the guest's own. 0
// or a negative Xen errno.
[[nodiscard]] std::intptr_t register_vcpu_info(std::uint32_t vcpu,
                                               std::uint64_t frame,
                                               std::uint32_t offset);
[[nodiscard]] std::intptr_t register_vcpu_info(std::uint32_t vcpu,
                                               const volatile void *area);

// Reads one of the domain's parameters (abi::HVM_PARAM_...). 0 or a negative
// Xen errno.
[[nodiscard]] std::intptr_t get_hvm_param(std::uint32_t index,
                                          std::uint64_t &value);

// Sets one. 0 or a negative Xen errno.
[[nodiscard]] std::intptr_t set_hvm_param(std::uint32_t index,
                                          std::uint64_t value);

// An argument structure's address, as hypercall() wants it.
template <typename T>
[[nodiscard]] Word address_of(const T &object)
{
    return reinterpret_cast<Word>(&object);
}

} // namespace xovl::guest
