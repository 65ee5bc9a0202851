// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/vcpu_area.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "abi/layout.hpp"

namespace xovl::core
{

namespace
{

using abi::VcpuInfo32;
using abi::VcpuInfo64;

// The time information lies at the same place in both layouts.
constexpr std::size_t kTime = offsetof(VcpuInfo64, time);
constexpr std::size_t kTimeSize = sizeof(VcpuInfo64::time);
static_assert(kTime == offsetof(VcpuInfo32, time));
static_assert(kTimeSize == sizeof(VcpuInfo32::time));

// A reader that meets a writer every time is no reader of a sane guest's.
constexpr int kTries = 1000;

using Time = std::array<std::byte, kTimeSize>;

template <typename T>
std::atomic_ref<T> at(void *area, std::size_t offset)
{
    return std::atomic_ref<T>(
        *reinterpret_cast<T *>(static_cast<std::byte *>(area) + offset));
}

std::uint32_t version_of(const Time &time)
{
    std::uint32_t version = 0;
    std::memcpy(&version, time.data(), sizeof(version));
    return version;
}

// All zero if there is none.
Time read_time(const void *area)
{
    auto *version =
        const_cast<std::byte *>(static_cast<const std::byte *>(area)) + kTime;
    for (int n = 0; n < kTries; ++n) {
        Time time;
        const std::uint32_t before =
            at<std::uint32_t>(version, 0).load(std::memory_order_acquire);
        std::memcpy(time.data(), version, kTimeSize);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 == 0 && version_of(time) == before &&
            at<std::uint32_t>(version, 0).load(std::memory_order_relaxed) ==
                before) {
            return time;
        }
    }
    return {};
}

} // namespace

VcpuArea read_area(const void *area)
{
    VcpuArea content;
    std::memcpy(content.data(), area, content.size());
    return content;
}

void write_area(void *area, const VcpuArea &content)
{
    std::memcpy(area, content.data(), content.size());
}

VcpuArea fresh_area()
{
    VcpuArea area = {};
    area[offsetof(VcpuInfo64, evtchn_upcall_mask)] = std::byte{1};
    return area;
}

VcpuArea unseen_area()
{
    VcpuArea area = fresh_area();
    for (const auto &[offset, size] :
         {std::pair(offsetof(VcpuInfo64, evtchn_pending_sel),
                    sizeof(VcpuInfo64::evtchn_pending_sel)),
          std::pair(offsetof(VcpuInfo32, evtchn_pending_sel),
                    sizeof(VcpuInfo32::evtchn_pending_sel))}) {
        std::memset(area.data() + offset, 0xff, size);
    }
    return area;
}

bool take_time(VcpuArea &to, const void *from)
{
    const Time time = read_time(from);
    if (version_of(time) == 0) {
        return false;
    }
    std::memcpy(to.data() + kTime, time.data(), kTimeSize);
    return true;
}

bool mark_all_pending(void *area, bool long_mode)
{
    if (long_mode) {
        at<std::uint64_t>(area, offsetof(VcpuInfo64, evtchn_pending_sel))
            .store(~std::uint64_t{0}, std::memory_order_release);
    } else {
        at<std::uint32_t>(area, offsetof(VcpuInfo32, evtchn_pending_sel))
            .store(~std::uint32_t{0}, std::memory_order_release);
    }
    return at<std::uint8_t>(area, offsetof(VcpuInfo64, evtchn_upcall_pending))
               .exchange(1) == 0;
}

bool mark_pending(void *area, bool long_mode, std::uint64_t words)
{
    // By halves: an area that was registered in the 32-bit layout need not
    // be aligned for more.
    using Half = std::uint32_t;
    const std::size_t selector = long_mode
                                     ? offsetof(VcpuInfo64, evtchn_pending_sel)
                                     : offsetof(VcpuInfo32, evtchn_pending_sel);
    at<Half>(area, selector).fetch_or(static_cast<Half>(words));
    if (long_mode) {
        at<Half>(area, selector + sizeof(Half))
            .fetch_or(static_cast<Half>(words >> 32));
    }
    const auto upcall =
        at<std::uint8_t>(area, offsetof(VcpuInfo64, evtchn_upcall_pending));
    if (words != 0) {
        upcall.store(1);
    }
    return upcall.load() != 0;
}

} // namespace xovl::core
