// SPDX-License-Identifier: GPL-2.0-or-later
// Finding Xen and calling it.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// Finds Xen's CPUID leaves and has the hypercall page filled, which also makes
// the hypervisor latch this guest as a 64-bit one. Ends the guest with an error
// if there is no Xen: whatever was to be tested is not there.
void xen_init();

// Writes the hypercall page's MSR again, as a 32-bit or a 64-bit guest would.
// The hypervisor latches that width, and in between no hypercall is made that
// would tell anybody else of it. After xen_init().
void latch_width(unsigned bits);

// Whether xen_init() is through, so that hypercall() may be used.
bool xen_ready();

// Returns what Xen returned: 0 or more, or a negative Xen errno.
std::int64_t hypercall(std::uint32_t number, std::uint64_t a1 = 0,
                       std::uint64_t a2 = 0, std::uint64_t a3 = 0,
                       std::uint64_t a4 = 0, std::uint64_t a5 = 0);

} // namespace xovl::guest
