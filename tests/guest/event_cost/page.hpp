// SPDX-License-Identifier: GPL-2.0-or-later
// shared_info: where it is, moving it, and taking events out of it even while
// another vCPU moves it.
#pragma once

#include <cstdint>

#include "abi/layout.hpp"

namespace xovl::guest
{

// Shows it. Before anything else here.
void page_init();

// Where it was when somebody looked: not for long, once expect_moves() said so.
[[nodiscard]] volatile abi::SharedInfo64 &shared_info();

// One vCPU at a time.
void move_page();

// From here on, another vCPU than the caller may do so; or none any more.
void expect_moves(bool on);
[[nodiscard]] bool moves_expected();
[[nodiscard]] bool move_under_way();

// Takes ports, by their bits, out of the first word of pending ones, and ends
// the call of that vCPU. Ports that others hear stay. What was pending of them.
std::uint64_t take(std::uint64_t ports, std::uint32_t cpu);

} // namespace xovl::guest
