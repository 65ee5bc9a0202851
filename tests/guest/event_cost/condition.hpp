// SPDX-License-Identifier: GPL-2.0-or-later
// What goes on while events are measured.
#pragma once

#include <cstdint>

#include "event.hpp"

namespace xovl::guest
{

// An event is measured a few times more often than asked for at most.
inline constexpr std::uint64_t kMaxLoops = 500;

// Prints what `loops` events took under the condition of that letter; nothing
// where a vCPU for it is missing. False if there is no such condition.
[[nodiscard]] bool measure(const Event &event, char condition,
                           std::uint64_t loops);

} // namespace xovl::guest
