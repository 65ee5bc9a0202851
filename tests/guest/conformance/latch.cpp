// SPDX-License-Identifier: GPL-2.0-or-later
// C-35, C-38, C-40, C-41: the wallclock, and the width that Xen has latched.
//
// In Xen: xen/arch/x86/hvm/hvm.c (hvm_latch_shinfo_size) and
// xen/common/time.c (update_domain_wallclock_time).
#include "event_channel.hpp"
#include "items.hpp"
#include "rtc.hpp"
#include "state.hpp"
#include "time.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::intptr_t kEnospc = -28;
constexpr std::uint32_t kPorts32 = abi::kEvtchnPorts<std::uint32_t>;

// The bytes of the two widths' wallclocks; both are event bits to the other.
bool in_wallclock(std::size_t offset)
{
    constexpr std::size_t kWc32 = offsetof(abi::SharedInfo32, wc_version);
    constexpr std::size_t kWc64 = offsetof(abi::SharedInfo64, wc_version);
    constexpr std::size_t kHi32 = abi::kWcSecHiOffset<std::uint32_t>;
    return (offset >= kWc32 && offset < kWc32 + 12) ||
           (offset >= kHi32 && offset < kHi32 + 4) ||
           (offset >= kWc64 && offset < kWc64 + 16);
}

constexpr std::size_t kBitsBegin = offsetof(abi::SharedInfo64, evtchn_pending);
constexpr std::size_t kBitsEnd = offsetof(abi::SharedInfo64, wc_version);

volatile std::uint8_t &byte_at(std::size_t offset)
{
    return reinterpret_cast<volatile std::uint8_t *>(&info_page())[offset];
}

std::uint8_t pattern(std::size_t offset)
{
    return static_cast<std::uint8_t>(offset * 7 + 3);
}

std::uint32_t stable_version()
{
    (void)wait_until(100, [] { return info().wc_version % 2 == 0; });
    return info().wc_version;
}

// Binds ports until `first` beyond the 32-bit limit is had; the errno if not.
std::intptr_t reach_limit(std::uint32_t &lowest, std::uint32_t &highest)
{
    lowest = highest = 0;
    for (;;) {
        const std::intptr_t port = bind_ipi(0);
        if (port < 0) {
            return port;
        }
        const auto number = static_cast<std::uint32_t>(port);
        if (lowest == 0) {
            lowest = number;
        }
        highest = number > highest ? number : highest;
        set_masked(number, true);
        if (number >= kPorts32) {
            return 0;
        }
    }
}

} // namespace

// C-35, as far as the guest alone can see: the version is even, and the time is
// the RTC's where there is one.
void wallclock_is_there(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const std::uint32_t version = stable_version();
    item.that("wc_version is not 0", version != 0);
    item.that("wc_version is even", version % 2 == 0);
    std::uint64_t rtc = 0;
    if (!rtc_seconds(rtc)) {
        item.pass("no RTC to compare with");
        return;
    }
    const auto now = static_cast<std::int64_t>(wallclock_seconds());
    const std::int64_t ahead = now - static_cast<std::int64_t>(rtc);
    if (ahead < -2 || ahead > 2) {
        item.fail("got=", now, " want=", rtc, ": seconds, RTC");
    }
    item.pass("ahead of the RTC by ", ahead, " s");
}

// C-38. HVM_PARAM_CALLBACK_IRQ latches the width and writes the wallclock, also
// where neither is news.
void callback_rewrites_wallclock(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const std::uint32_t before = stable_version();
    item.equal("setting HVM_PARAM_CALLBACK_IRQ", set_callback(), 0);
    item.equal("wc_version", stable_version(),
               static_cast<std::intptr_t>(before + 2));
    item.that("wc_sec is there", info().wc_sec != 0);
}

// C-40. A PVH guest is a 64-bit one until it is latched otherwise. A VMM that
// takes it for a 32-bit one has written that wallclock over pending bits.
void no_stray_wallclock(Item &item)
{
    if (sizeof(Word) == 4) {
        item.skip("a 32-bit guest's wallclock is where it should be");
        return;
    }
    if (options.msr) {
        item.skip("msr=1 latched the width before the first map");
        return;
    }
    item.that("the page was mapped at all", first_sight.seen);
    for (unsigned i = 32; i <= 36; ++i) {
        item.equal_bits("evtchn_pending[32..36] after the callback was set",
                        first_sight.pending[i], 0);
    }
}

// C-41. A change of width converts nothing: bits keep their bytes, only the
// wallclock is written in its other place. The number of ports is the width's.
void latch_back_and_forth(Item &item)
{
    if (sizeof(Word) == 4) {
        item.skip("a 32-bit guest cannot become a 64-bit one");
        return;
    }
    if (!set_up(item)) {
        return;
    }
    std::uint8_t before[kBitsEnd - kBitsBegin];
    for (std::size_t i = kBitsBegin; i < kBitsEnd; ++i) {
        before[i - kBitsBegin] = byte_at(i);
        if (!in_wallclock(i)) {
            byte_at(i) = pattern(i);
        }
    }
    const auto unchanged = [&item](const char *what) {
        for (std::size_t i = kBitsBegin; i < kBitsEnd; ++i) {
            if (!in_wallclock(i)) {
                item.equal_bits(what, byte_at(i), pattern(i));
            }
        }
    };
    const auto &narrow =
        reinterpret_cast<volatile abi::SharedInfo32 &>(info_page());
    item.equal("setting the callback as a 32-bit guest",
               set_callback_as_32_bit(), 0);
    unchanged("a byte after 64 to 32");
    item.that("the 32-bit wallclock is written",
              narrow.wc_version != 0 && narrow.wc_sec != 0);
    item.equal("setting the callback as a 64-bit guest", set_callback(), 0);
    unchanged("a byte after 32 to 64");
    for (std::size_t i = kBitsBegin; i < kBitsEnd; ++i) {
        byte_at(i) = before[i - kBitsBegin];
    }
    quiet(this_cpu());

    std::uint32_t lowest = 0, highest = 0;
    const std::intptr_t reached = reach_limit(lowest, highest);
    const char *limit = "with the port limit";
    if (reached != 0) {
        limit = "without the port limit: the domain may not have 1024 ports";
    } else {
        close_port(highest);
        (void)set_callback_as_32_bit();
        const std::intptr_t as_32 = bind_ipi(0);
        (void)set_callback();
        const std::intptr_t as_64 = bind_ipi(0);
        item.equal("port 1024 of a 32-bit guest", as_32, kEnospc);
        item.equal("port 1024 of a 64-bit guest", as_64, highest);
    }
    for (std::uint32_t port = lowest; port <= highest; ++port) {
        if (lowest != 0) {
            close_port(port);
            clear_pending(port);
            set_masked(port, false);
        }
    }
    // The 32-bit wallclock is pending bits now.
    for (std::size_t i = kBitsBegin; i < kBitsEnd; ++i) {
        if (in_wallclock(i)) {
            byte_at(i) = 0;
        }
    }
    item.pass(limit);
}

} // namespace xovl::guest
