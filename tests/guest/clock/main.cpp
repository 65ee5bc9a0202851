// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: the time of day, as a guest computes it.
//
// Theory: the wallclock in shared_info plus the system time in a vcpu_info is
// the time of day (UTC). The system time is that of the last update; what has
// passed since, the guest's own TSC says (xen/include/public/xen.h). So only a
// guest can tell the time: from outside, the age of the update is not known.
//
// Method: maps shared_info, then does what bytes on COM1 ask for. Somebody with
// a clock compares, and may have stopped the machine meanwhile.
//
//   t  say the time, in nanoseconds since 1970
//   3  be a 32-bit guest: the wallclock has another place for those
//   6  be a 64-bit guest again
//   m  map shared_info once more, where it is: what a guest does after it has
//      set its width
//   r  reboot
//
// Options: times=N  how often to say the time, before it ends (1)
#include <cstddef>
#include <cstdint>

#include "abi/hypercall.hpp"
#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "guest_main.hpp"
#include "report.hpp"
#include "shared_info.hpp"
#include "start_info.hpp"
#include "system_time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint64_t kNanoseconds = 1000000000;

alignas(abi::kPageSize) volatile std::byte page[abi::kPageSize];
unsigned width = 64;

template <typename Layout>
const volatile Layout &shared_info()
{
    return reinterpret_cast<const volatile Layout &>(page);
}

// vcpu_info[0].time is where it is in both widths.
std::uint64_t system_time()
{
    return read_clock(shared_info<abi::SharedInfo64>().vcpu_info[0])
        .at(rdtsc());
}

// Nanoseconds since 1970.
template <typename Layout>
std::uint64_t read_wallclock(const volatile std::uint32_t &seconds_high)
{
    const volatile Layout &info = shared_info<Layout>();
    for (;;) {
        const std::uint32_t version = info.wc_version;
        const std::uint64_t seconds =
            std::uint64_t{seconds_high} << 32 | info.wc_sec;
        const std::uint64_t now = seconds * kNanoseconds + info.wc_nsec;
        if ((version & 1) == 0 && version != 0 && version == info.wc_version) {
            return now;
        }
        pause();
    }
}

std::uint64_t wallclock()
{
    return width == 64
               ? read_wallclock<abi::SharedInfo64>(
                     shared_info<abi::SharedInfo64>().wc_sec_hi)
               : read_wallclock<abi::SharedInfo32>(
                     shared_info<abi::SharedInfo32>().arch.wc_sec_hi);
}

void map()
{
    if (const std::int64_t result = map_shared_info(page); result != 0) {
        fail("mapping shared_info returned ", result);
    }
}

void set_width(unsigned bits)
{
    latch_width(bits);
    width = bits;
    print("WIDTH ", width, "\n");
}

[[noreturn]] void reboot()
{
    print("REBOOT\n");
    console_drain();
    const abi::sched_shutdown argument{abi::SHUTDOWN_reboot};
    (void)hypercall(abi::HYPERVISOR_sched_op, abi::SCHEDOP_shutdown,
                    address_of(argument));
    halt_forever();
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
    map();
    print("READY\n");
    for (std::uint64_t said = 0; said < times;) {
        switch (console_read_byte()) {
        case 't':
            print("TIME ", wallclock() + system_time(), "\n");
            ++said;
            break;
        case '3':
            set_width(32);
            break;
        case '6':
            set_width(64);
            break;
        case 'm':
            map();
            print("MAPPED\n");
            break;
        case 'r':
            reboot();
        case '\0':
            error("it needs COM1 to be asked by, and there is none");
        default:
            break;
        }
    }
    if (times == 0) {
        skip("times=0, so the time was not asked for");
    }
    pass("said the time ", times, " times");
}

} // namespace xovl::guest
