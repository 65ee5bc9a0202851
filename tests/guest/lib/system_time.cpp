// SPDX-License-Identifier: GPL-2.0-or-later
#include "system_time.hpp"

#include "cpu.hpp"

namespace xovl::guest
{

std::uint64_t Clock::at(std::uint64_t tsc) const
{
    const std::uint64_t ticks = tsc - timestamp;
    const std::uint64_t shifted = shift < 0 ? ticks >> -shift : ticks << shift;
    return system_time +
           static_cast<std::uint64_t>(
               static_cast<unsigned __int128>(shifted) * multiplier >> 32);
}

Clock read_clock(const volatile abi::VcpuInfo64 &info)
{
    const volatile auto &time = info.time;
    for (;;) {
        const Clock clock{time.version, time.tsc_shift, time.tsc_to_system_mul,
                          time.tsc_timestamp, time.system_time};
        if ((clock.version & 1) == 0 && clock.version != 0 &&
            clock.version == time.version) {
            return clock;
        }
        pause();
    }
}

} // namespace xovl::guest
