// SPDX-License-Identifier: GPL-2.0-or-later
#include "time.hpp"

#include "cpu.hpp"

namespace xovl::guest
{

namespace
{

// Too high is better than too low: a time-out may come late, not early.
std::uint64_t ticks_per_ms = 3000000;

} // namespace

void time_set_scale(std::uint32_t tsc_to_system_mul, std::int8_t tsc_shift)
{
    if (tsc_to_system_mul == 0) {
        return;
    }
    // ns = (ticks << shift) * mul >> 32, the other way round for 1 ms.
    const std::uint64_t ticks =
        (std::uint64_t{1000000} << 32) / tsc_to_system_mul;
    ticks_per_ms = tsc_shift < 0 ? ticks << -tsc_shift : ticks >> tsc_shift;
}

Deadline::Deadline(std::uint32_t milliseconds)
    : end_{rdtsc() + milliseconds * ticks_per_ms}
{
}

bool Deadline::passed() const
{
    return rdtsc() >= end_;
}

void wait_ms(std::uint32_t milliseconds)
{
    const Deadline deadline(milliseconds);
    while (!deadline.passed()) {
        pause();
    }
}

} // namespace xovl::guest
