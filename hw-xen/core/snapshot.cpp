// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/snapshot.hpp"

#include <atomic>
#include <cstddef>
#include <cstring>

namespace xovl::core
{

namespace
{

// Far more than it takes to see an update end that a hypervisor makes.
constexpr int kTries = 1000;

// Copies memory that others write. Byte by byte, as an area may lie at any
// address; whether what was copied belongs together is the version's to say.
template <typename T>
T copy(const void *from)
{
    std::array<std::uint8_t, sizeof(T)> bytes;
    const auto *source = static_cast<const volatile std::uint8_t *>(from);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = source[i];
    }
    T value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

// Copies a T with a version in it until that says that all belongs together.
template <typename T, typename Version>
T copy_versioned(const void *from, Version version)
{
    T value = copy<T>(from);
    for (int tries = 0; tries < kTries; ++tries) {
        std::atomic_thread_fence(std::memory_order_acquire);
        const T again = copy<T>(from);
        const bool stable =
            (version(value) & 1) == 0 && version(value) == version(again);
        if (stable) {
            break;
        }
        value = again;
    }
    return value;
}

template <abi::GuestWord Word>
std::uint32_t seconds_high(const abi::SharedInfo<Word> &info)
{
    if constexpr (sizeof(Word) == sizeof(std::uint64_t)) {
        return info.wc_sec_hi;
    } else {
        return info.arch.wc_sec_hi;
    }
}

template <abi::GuestWord Word>
SharedInfoSnapshot read_shared_info(const void *page)
{
    using Info = abi::SharedInfo<Word>;
    const Info info = copy_versioned<Info>(
        page, [](const Info &copied) { return copied.wc_version; });
    SharedInfoSnapshot result = {};
    result.long_mode = sizeof(Word) == sizeof(std::uint64_t);
    result.ports = abi::kEvtchnPorts<Word>;
    result.wc_version = info.wc_version;
    result.wc_seconds =
        std::uint64_t{seconds_high<Word>(info)} << 32 | info.wc_sec;
    result.wc_nanoseconds = info.wc_nsec;
    // The bitmaps are the same bytes in both widths (x86 is little-endian);
    // only their length differs.
    static_assert(sizeof(info.evtchn_pending) <= sizeof(result.pending));
    std::memcpy(result.pending.data(), &info.evtchn_pending,
                sizeof(info.evtchn_pending));
    std::memcpy(result.masked.data(), &info.evtchn_mask,
                sizeof(info.evtchn_mask));
    result.max_pfn = info.arch.max_pfn;
    result.nmi_reason = info.arch.nmi_reason;
    return result;
}

template <abi::GuestWord Word>
VcpuInfoSnapshot read_vcpu_info(const void *area)
{
    using Info = abi::VcpuInfo<Word>;
    const Info info = copy_versioned<Info>(
        area, [](const Info &copied) { return copied.time.version; });
    VcpuInfoSnapshot result = {};
    result.upcall_pending = info.evtchn_upcall_pending != 0;
    result.upcall_mask = info.evtchn_upcall_mask != 0;
    result.pending_sel = info.evtchn_pending_sel;
    // The same layout in both widths, but for what a compiler may assume of
    // its alignment.
    static_assert(sizeof(info.time) == sizeof(result.time));
    std::memcpy(&result.time, &info.time, sizeof(result.time));
    return result;
}

template <abi::GuestWord Word>
std::uint64_t words_with_news(const void *page)
{
    const auto info = copy<abi::SharedInfo<Word>>(page);
    std::uint64_t words = 0;
    for (std::size_t n = 0; n < abi::kEvtchnWords<Word>; ++n) {
        if ((info.evtchn_pending[n] & ~info.evtchn_mask[n]) != 0) {
            words |= std::uint64_t{1} << n;
        }
    }
    return words;
}

} // namespace

std::uint64_t words_with_news(const void *page, bool long_mode)
{
    return long_mode ? words_with_news<std::uint64_t>(page)
                     : words_with_news<std::uint32_t>(page);
}

SharedInfoSnapshot read_shared_info(const void *page, bool long_mode)
{
    return long_mode ? read_shared_info<std::uint64_t>(page)
                     : read_shared_info<std::uint32_t>(page);
}

VcpuInfoSnapshot read_vcpu_info(const void *area, bool long_mode)
{
    return long_mode ? read_vcpu_info<std::uint64_t>(area)
                     : read_vcpu_info<std::uint32_t>(area);
}

} // namespace xovl::core
