// SPDX-License-Identifier: GPL-2.0-or-later
// Snapshots of shared_info and vcpu_info, in one form for both guest widths.
//
// The guest and the hypervisor write these at any time. The wallclock and a
// vCPU's time are read as Xen's headers ask (xen/include/public/xen.h): again
// while the version is odd or changes. A guest can make that go on for ever, so
// after some tries the last reading is taken, odd version and all.
#pragma once

#include <array>
#include <cstdint>

#include "abi/layout.hpp"

namespace xovl::core
{

struct SharedInfoSnapshot {
    // One bit per port, port 0 the lowest of the first word.
    using Ports =
        std::array<std::uint64_t, abi::kEvtchnPorts<std::uint64_t> / 64>;

    bool long_mode;
    std::uint32_t ports; // how many there are in this width
    std::uint32_t wc_version;
    std::uint64_t wc_seconds;
    std::uint32_t wc_nanoseconds;
    Ports pending;
    Ports masked;
    std::uint64_t max_pfn;
    std::uint64_t nmi_reason;
};

struct VcpuInfoSnapshot {
    bool upcall_pending;
    bool upcall_mask;
    std::uint64_t pending_sel;
    abi::VcpuTimeInfo<std::uint64_t> time;
};

// Which words of pending ports have one that is not masked; bit 0 is the word
// of port 0.
std::uint64_t words_with_news(const void *page, bool long_mode);

// `page`: kPageSize bytes.
SharedInfoSnapshot read_shared_info(const void *page, bool long_mode);
// `area`: kVcpuInfoSize bytes, at any address.
VcpuInfoSnapshot read_vcpu_info(const void *area, bool long_mode);

} // namespace xovl::core
