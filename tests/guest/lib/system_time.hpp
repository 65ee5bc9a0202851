// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU's clock, from the time in its vcpu_info.
#pragma once

#include <cstdint>

#include "abi/layout.hpp"

namespace xovl::guest
{

// One set of its parameters.
struct Clock {
    std::uint32_t version;
    std::int8_t shift;
    std::uint32_t multiplier;
    std::uint64_t timestamp;
    std::uint64_t system_time;

    // Nanoseconds at the moment `tsc`, which is not before `timestamp`.
    [[nodiscard]] std::uint64_t at(std::uint64_t tsc) const;
};

// What the hypervisor says now; waits while it is writing.
[[nodiscard]] Clock read_clock(const volatile abi::VcpuInfo64 &info);

} // namespace xovl::guest
