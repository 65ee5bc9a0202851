// SPDX-License-Identifier: GPL-2.0-or-later
// The time of day, twice: the machine's RTC, and Xen's wallclock.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// Seconds since 1970 by the RTC, taken for UTC; false without one.
[[nodiscard]] bool rtc_seconds(std::uint64_t &seconds);

// The same by shared_info's wallclock and the calling vCPU's system time.
[[nodiscard]] std::uint64_t wallclock_seconds();

} // namespace xovl::guest
