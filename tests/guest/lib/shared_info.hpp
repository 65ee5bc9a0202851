// SPDX-License-Identifier: GPL-2.0-or-later
// Where the hypervisor's shared_info page shows in the guest.
#pragma once

#include <cstdint>

#include "cpu.hpp"

namespace xovl::guest
{

// XENMEM_add_to_physmap for one page, from one of Xen's map spaces.
[[nodiscard]] std::intptr_t add_to_physmap(std::uint32_t space, Word index,
                                           Word frame);

// The shared_info page to the frame of `page` (virtual = physical).
[[nodiscard]] std::intptr_t map_shared_info(const volatile void *page);

[[nodiscard]] std::intptr_t remove_from_physmap(Word frame);

} // namespace xovl::guest
