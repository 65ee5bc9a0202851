// SPDX-License-Identifier: GPL-2.0-or-later
// What Xen answers to VCPUOP_register_vcpu_info, release by release:
// map_vcpu_info and map_guest_area in xen/common/domain.c of the tags.
#include "core/registration.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace xovl::core
{
namespace
{

constexpr XenVersion kXen410{0x4000a};
constexpr XenVersion kXen415{0x4000f};
constexpr XenVersion kXen416{0x40010};
constexpr XenVersion kXen417{0x40011};
constexpr XenVersion kXen418{0x40012};
constexpr XenVersion kXen420{0x40014};

struct Case {
    RegistrationRequest request;
    int until_4_15;
    int since_4_16;
    int since_4_18;
};

constexpr std::uint64_t kNoGfn = ~std::uint64_t{0};

constexpr Case kCases[] = {
    // gfn, offset, 64-bit, registered
    {{{3}, 0, true, false}, 0, 0, 0},
    {{{0}, 4032, true, false}, 0, 0, 0},
    {{{3}, 4, false, false}, 0, 0, 0},
    // Misaligned.
    {{{3}, 4, true, false}, -EINVAL, -ENXIO, -ENXIO},
    {{{3}, 2, false, false}, -EINVAL, -ENXIO, -ENXIO},
    // Across the page's end, or beyond.
    {{{3}, 4040, true, false}, -EINVAL, -ENXIO, -ENXIO},
    {{{3}, 4033, false, false}, -EINVAL, -ENXIO, -ENXIO},
    {{{3}, 4095, true, false}, -EINVAL, -ENXIO, -ENXIO},
    {{{3}, 4096, true, false}, -EINVAL, -ENXIO, -EINVAL},
    {{{3}, 0xffffffff, true, false}, -EINVAL, -ENXIO, -EINVAL},
    // Once only; which of two errors shows.
    {{{3}, 0, true, true}, -EINVAL, -EINVAL, -EBUSY},
    {{{3}, 4, true, true}, -EINVAL, -ENXIO, -EBUSY},
    {{{3}, 4095, true, true}, -EINVAL, -ENXIO, -EBUSY},
    {{{3}, 4096, true, true}, -EINVAL, -ENXIO, -EINVAL},
    // No such frame.
    {{{kNoGfn}, 0, true, false}, -EINVAL, -EINVAL, -EINVAL},
    {{{std::uint64_t{1} << 52}, 0, true, false}, -EINVAL, -EINVAL, -EINVAL},
    {{{kNoGfn}, 0, true, true}, -EINVAL, -EINVAL, -EINVAL},
    {{{kNoGfn}, 4095, true, false}, -EINVAL, -ENXIO, -EINVAL},
};

TEST(Registration, Place)
{
    for (const Case &c : kCases) {
        SCOPED_TRACE(&c - kCases);
        for (const auto &[version, expected] :
             {std::pair(kXen410, c.until_4_15),
              std::pair(kXen415, c.until_4_15),
              std::pair(kXen416, c.since_4_16),
              std::pair(kXen417, c.since_4_16),
              std::pair(kXen418, c.since_4_18),
              std::pair(kXen420, c.since_4_18)}) {
            SCOPED_TRACE(testing::Message() << std::hex << version.value);
            const auto place = registration_place(version, c.request);
            ASSERT_EQ(place ? 0 : place.error().value(), expected);
            if (place) {
                EXPECT_EQ(place->value,
                          c.request.gfn.value * 4096 + c.request.offset);
            }
        }
    }
}

} // namespace
} // namespace xovl::core
