// SPDX-License-Identifier: GPL-2.0-or-later
#include "rtc.hpp"

#include "cpu.hpp"
#include "state.hpp"
#include "time.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint64_t kNanoseconds = 1000000000;

std::uint8_t cmos(std::uint8_t index)
{
    outb(0x70, index);
    return inb(0x71);
}

unsigned decimal(std::uint8_t bcd)
{
    return (bcd >> 4) * 10U + (bcd & 0xf);
}

// Days since 1970-01-01, by years that begin in March.
std::uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    const std::uint64_t y = month <= 2 ? year - 1 : year;
    const std::uint64_t m = month <= 2 ? month + 9 : month - 3;
    const std::uint64_t of_year = (153 * m + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

// (ticks << shift) * mul >> 32, without 128 bits, which 32-bit code has not.
std::uint64_t scale(std::uint64_t ticks, std::int8_t shift, std::uint32_t mul)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (ticks >> 32) * mul + ((ticks & 0xffffffff) * mul >> 32);
}

std::uint64_t system_time(const volatile VcpuInfo &place)
{
    for (;;) {
        const std::uint32_t version = place.time.version;
        const std::uint64_t now =
            place.time.system_time + scale(rdtsc() - place.time.tsc_timestamp,
                                           place.time.tsc_shift,
                                           place.time.tsc_to_system_mul);
        if (version % 2 == 0 && version == place.time.version) {
            return now;
        }
        pause();
    }
}

} // namespace

bool rtc_seconds(std::uint64_t &seconds)
{
    constexpr std::uint8_t kUpdating = 0x80;
    constexpr std::uint8_t kBinary = 0x04;
    if (cmos(0x0b) == 0xff) {
        return false;
    }
    std::uint8_t now[6];
    constexpr std::uint8_t kIndex[] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09};
    do {
        (void)wait_until(1000, [] { return (cmos(0x0a) & kUpdating) == 0; });
        for (unsigned i = 0; i < 6; ++i) {
            now[i] = cmos(kIndex[i]);
        }
    } while (now[0] != cmos(0x00));
    unsigned n[6];
    for (unsigned i = 0; i < 6; ++i) {
        n[i] = (cmos(0x0b) & kBinary) != 0 ? now[i] : decimal(now[i]);
    }
    seconds = days_since_1970(2000 + n[5], n[4], n[3]) * 86400 + n[2] * 3600 +
              n[1] * 60 + n[0];
    return true;
}

std::uint64_t wallclock_seconds()
{
    const volatile SharedInfo &page = info();
    const volatile std::uint32_t &high =
        *reinterpret_cast<const volatile std::uint32_t *>(
            reinterpret_cast<Word>(&page) + abi::kWcSecHiOffset<Word>);
    for (;;) {
        const std::uint32_t version = page.wc_version;
        const std::uint64_t seconds = std::uint64_t{high} << 32 | page.wc_sec;
        const std::uint64_t now =
            page.wc_nsec + system_time(*vcpu_info(this_cpu()));
        if (version % 2 == 0 && version == page.wc_version) {
            return seconds + now / kNanoseconds;
        }
        pause();
    }
}

} // namespace xovl::guest
