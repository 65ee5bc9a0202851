// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registration.hpp"

#include <cerrno>

namespace xovl::core
{

namespace
{

constexpr XenVersion kXen416{0x40010};
constexpr XenVersion kXen418{0x40012};

constexpr std::uint64_t kLastOffset = abi::kPageSize - abi::kVcpuInfoSize;

// Xen took any offset until XSA-327 (4.14, and the last releases of 4.12 and
// 4.13).  Here it is refused for all versions: KVM uses the area as it is
// given, and an atomic access across two cache lines can be the end of a
// host that watches for split locks.
bool is_misaligned(const RegistrationRequest &request)
{
    return request.offset % (request.long_mode ? 8 : 4) != 0;
}

Result<abi::Gpa> place(const RegistrationRequest &request)
{
    const auto page = abi::address_of(request.gfn);
    if (!page) {
        return Error(-EINVAL);
    }
    return abi::Gpa{page->value + request.offset};
}

Result<abi::Gpa> until_4_17(XenVersion version,
                            const RegistrationRequest &request)
{
    const bool fits = request.offset <= kLastOffset;
    if (!fits || is_misaligned(request)) {
        return Error(version < kXen416 ? -EINVAL : -ENXIO);
    }
    if (request.registered) {
        return Error(-EINVAL);
    }
    return place(request);
}

Result<abi::Gpa> from_4_18(const RegistrationRequest &request)
{
    // Frame and offset are put together first, which must not change the
    // frame.
    if (request.offset >= abi::kPageSize || !abi::address_of(request.gfn)) {
        return Error(-EINVAL);
    }
    if (request.registered) {
        return Error(-EBUSY);
    }
    if (request.offset > kLastOffset || is_misaligned(request)) {
        return Error(-ENXIO);
    }
    return place(request);
}

} // namespace

Result<abi::Gpa> registration_place(XenVersion version,
                                    const RegistrationRequest &request)
{
    return version < kXen418 ? until_4_17(version, request)
                             : from_4_18(request);
}

} // namespace xovl::core
