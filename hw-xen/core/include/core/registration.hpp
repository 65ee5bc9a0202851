// SPDX-License-Identifier: GPL-2.0-or-later
// What VCPUOP_register_vcpu_info refuses, and with what.
//
// Xen's answers changed over its releases, and guests can tell.  The order of
// the checks is Xen's too (xen/common/domain.c: map_vcpu_info until 4.17,
// map_guest_area from 4.18 on), as it decides which of two errors is seen.
#pragma once

#include <cstdint>

#include "abi/types.hpp"
#include "core/result.hpp"

namespace xovl::core
{

// major << 16 | minor, as XENVER_version answers.
struct XenVersion {
    std::uint32_t value;
    // NOLINTNEXTLINE(modernize-use-nullptr): see types.hpp
    friend constexpr auto operator<=>(XenVersion, XenVersion) = default;
};

struct RegistrationRequest {
    abi::Gfn gfn; // struct vcpu_register_vcpu_info calls it mfn
    std::uint32_t offset;
    bool long_mode;  // the layout that the guest uses
    bool registered; // the vCPU has been before
};

// Where the vcpu_info is to be; whether there is RAM is another question.
Result<abi::Gpa> registration_place(XenVersion version,
                                    const RegistrationRequest &request);

} // namespace xovl::core
