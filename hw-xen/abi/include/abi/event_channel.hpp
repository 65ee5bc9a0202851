// SPDX-License-Identifier: GPL-2.0-or-later
// Event channel operations.
//
// From xen/include/public/event_channel.h. Names are Xen's, as in
// hypercall.hpp. The same for both widths: all members have a fixed size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xovl::abi
{

// NOLINTBEGIN(readability-identifier-naming): these are Xen's names.

// HYPERVISOR_event_channel_op(EVTCHNOP_..., evtchn_... *)
inline constexpr std::uint32_t EVTCHNOP_bind_virq = 1;
inline constexpr std::uint32_t EVTCHNOP_close = 3;
inline constexpr std::uint32_t EVTCHNOP_send = 4;
inline constexpr std::uint32_t EVTCHNOP_status = 5;
inline constexpr std::uint32_t EVTCHNOP_alloc_unbound = 6;
inline constexpr std::uint32_t EVTCHNOP_bind_ipi = 7;
inline constexpr std::uint32_t EVTCHNOP_unmask = 9;

// A port that hears of something within Xen.
struct evtchn_bind_virq {
    std::uint32_t virq; // VIRQ_...
    std::uint32_t vcpu;
    std::uint32_t port; // out
};

inline constexpr std::uint32_t VIRQ_TIMER = 0;

struct evtchn_close {
    std::uint32_t port;
};

struct evtchn_send {
    std::uint32_t port;
};

struct evtchn_unmask {
    std::uint32_t port;
};

// A port that `remote_dom` may bind to.
struct evtchn_alloc_unbound {
    std::uint16_t dom;
    std::uint16_t remote_dom;
    std::uint32_t port; // out
};

// A port that whoever has it sends to, and `vcpu` hears.
struct evtchn_bind_ipi {
    std::uint32_t vcpu;
    std::uint32_t port; // out
};

inline constexpr std::uint32_t EVTCHNSTAT_closed = 0;
inline constexpr std::uint32_t EVTCHNSTAT_ipi = 5;

struct evtchn_status {
    std::uint16_t dom;
    std::uint32_t port;
    std::uint32_t status; // out, as are all that follow
    std::uint32_t vcpu;
    std::uint32_t state[2]; // a union, by `status`
};

static_assert(sizeof(evtchn_bind_virq) == 12);
static_assert(sizeof(evtchn_alloc_unbound) == 8);
static_assert(sizeof(evtchn_bind_ipi) == 8);
static_assert(sizeof(evtchn_status) == 24);
static_assert(offsetof(evtchn_status, status) == 8);

// NOLINTEND(readability-identifier-naming)

} // namespace xovl::abi
