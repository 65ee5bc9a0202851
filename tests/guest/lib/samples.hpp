// SPDX-License-Identifier: GPL-2.0-or-later
// What a benchmark guest says: BENCH <what> <number> <number> ...
#pragma once

#include <cstdint>

#include "console.hpp"

namespace xovl::guest
{

// `what` in one or more parts.
template <typename... Parts>
void print_samples(const std::uint64_t *values, std::uint64_t count,
                   const Parts &...what)
{
    print("BENCH ", what...);
    for (std::uint64_t i = 0; i < count; ++i) {
        print(" ", values[i]);
    }
    print("\n");
}

} // namespace xovl::guest
