// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frames.hpp"

#include <gtest/gtest.h>

namespace xovl::core
{
namespace
{

using abi::Gfn;
using abi::Gpa;

int errno_of(const Result<Gpa> &result)
{
    return result ? 0 : result.error().value();
}

TEST(GuestFrames, PlaceAt)
{
    const GuestFrames frames{40, {{Gfn{0x10}, Gfn{0x12}}, {Gfn{5}, Gfn{6}}}};
    EXPECT_EQ(*frames.place_at(Gfn{0}), Gpa{0});
    EXPECT_EQ(*frames.place_at(Gfn{0xfffffff}), Gpa{0xfffffff000});
    for (const std::uint64_t gfn :
         {std::uint64_t{1} << 28, std::uint64_t{1} << 45,
          std::uint64_t{1} << 52, (std::uint64_t{1} << 52) + 1,
          ~std::uint64_t{0}}) {
        EXPECT_EQ(errno_of(frames.place_at(Gfn{gfn})), -ENOENT) << gfn;
    }
    for (const std::uint64_t gfn : {0x5, 0x10, 0x11}) {
        EXPECT_EQ(errno_of(frames.place_at(Gfn{gfn})), -EPERM) << gfn;
    }
    for (const std::uint64_t gfn : {0x4, 0x6, 0xf, 0x12}) {
        EXPECT_EQ(errno_of(frames.place_at(Gfn{gfn})), 0) << gfn;
    }
}

} // namespace
} // namespace xovl::core
