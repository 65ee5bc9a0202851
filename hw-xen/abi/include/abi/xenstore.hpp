// SPDX-License-Identifier: GPL-2.0-or-later
// XenStore: the ring to it, and the head of a message.
//
// From xen/include/public/io/xs_wire.h. Names are Xen's, as in hypercall.hpp.
// The same for both widths.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xovl::abi
{

// NOLINTBEGIN(readability-identifier-naming): these are Xen's names.

inline constexpr std::uint32_t XENSTORE_RING_SIZE = 1024;

// Indices run on; modulo the size of a ring they are places in it.
struct xenstore_domain_interface {
    char req[XENSTORE_RING_SIZE];
    char rsp[XENSTORE_RING_SIZE];
    std::uint32_t req_cons, req_prod;
    std::uint32_t rsp_cons, rsp_prod;
};

static_assert(offsetof(xenstore_domain_interface, req_cons) == 2048);

inline constexpr std::uint32_t XS_READ = 2;
inline constexpr std::uint32_t XS_WRITE = 11;
inline constexpr std::uint32_t XS_MKDIR = 12;
inline constexpr std::uint32_t XS_ERROR = 16;

struct xsd_sockmsg {
    std::uint32_t type; // XS_...
    std::uint32_t req_id;
    std::uint32_t tx_id;
    std::uint32_t len; // of what follows
};

static_assert(sizeof(xsd_sockmsg) == 16);

// NOLINTEND(readability-identifier-naming)

} // namespace xovl::abi
