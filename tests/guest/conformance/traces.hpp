// SPDX-License-Identifier: GPL-2.0-or-later
// For C-44: what the first boot leaves all over the machine, and what the second
// one finds of it.
#pragma once

#include <cstdint>

#include "item.hpp"

namespace xovl::guest
{

// What the second boot must know of the first; kept in RAM by reboot.cpp.
struct Traces {
    std::int32_t port;
    std::int32_t pirq;
};

// shared_info is mapped. The machine is of no more use afterwards.
[[nodiscard]] Traces leave_traces();

// shared_info is mapped, and upcalls come.
void look_for_traces(Item &item, const Traces &left);

} // namespace xovl::guest
