// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: the time of day, as a guest computes it.
//
// Theory: the wallclock in shared_info plus the system time in a vcpu_info is
// the time of day (UTC). The system time is that of the last update; what has
// passed since, the guest's own TSC says (xen/include/public/xen.h). So only a
// guest can tell the time: from outside, the age of the update is not known.
//
// Method: maps shared_info, then says the time, in nanoseconds since 1970, for
// each byte that comes on COM1. Somebody with a clock compares, and may have
// stopped the machine meanwhile.
//
// Options: times=N  how often, before it ends (1)
#include <cstddef>
#include <cstdint>

#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "guest_main.hpp"
#include "report.hpp"
#include "shared_info.hpp"
#include "start_info.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint64_t kNanoseconds = 1000000000;

alignas(abi::kPageSize) volatile std::byte page[abi::kPageSize];

const volatile abi::SharedInfo64 &shared_info()
{
    return reinterpret_cast<const volatile abi::SharedInfo64 &>(page);
}

// Nanoseconds of this vCPU's clock, now.
std::uint64_t system_time()
{
    const volatile auto &time = shared_info().vcpu_info[0].time;
    for (;;) {
        const std::uint32_t version = time.version;
        const std::uint64_t ticks = rdtsc() - time.tsc_timestamp;
        const std::int8_t shift = time.tsc_shift;
        const std::uint64_t shifted =
            shift < 0 ? ticks >> -shift : ticks << shift;
        const auto passed = static_cast<std::uint64_t>(
            static_cast<unsigned __int128>(shifted) * time.tsc_to_system_mul >>
            32);
        const std::uint64_t now = time.system_time + passed;
        if ((version & 1) == 0 && version != 0 && version == time.version) {
            return now;
        }
        pause();
    }
}

// Nanoseconds since 1970.
std::uint64_t wallclock()
{
    for (;;) {
        const std::uint32_t version = shared_info().wc_version;
        const std::uint64_t seconds =
            std::uint64_t{shared_info().wc_sec_hi} << 32 | shared_info().wc_sec;
        const std::uint64_t now =
            seconds * kNanoseconds + shared_info().wc_nsec;
        if ((version & 1) == 0 && version != 0 &&
            version == shared_info().wc_version) {
            return now;
        }
        pause();
    }
}

} // namespace

const char *guest_name()
{
    return "clock";
}

void guest_main()
{
    const std::uint64_t times = option("times", 1);
    end_of_options();
    xen_init();
    if (const std::int64_t result = map_shared_info(page); result != 0) {
        fail("mapping shared_info returned ", result);
    }
    print("READY\n");
    for (std::uint64_t said = 0; said < times; ++said) {
        if (!console_wait_for_byte()) {
            error("it needs COM1 to be asked by, and there is none");
        }
        print("TIME ", wallclock() + system_time(), "\n");
    }
    if (times == 0) {
        skip("times=0, so the time was not asked for");
    }
    pass("said the time ", times, " times");
}

} // namespace xovl::guest
