// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/types.hpp"

#include <gtest/gtest.h>

namespace xovl::abi
{
namespace
{

TEST(Types, AddressOfFrame)
{
    EXPECT_EQ(address_of(Gfn{0}), Gpa{0});
    EXPECT_EQ(address_of(Gfn{1}), Gpa{0x1000});
    EXPECT_EQ(address_of(Gfn{(std::uint64_t{1} << 52) - 1}),
              Gpa{0xfffffffffffff000});
}

TEST(Types, FrameWithoutAddress)
{
    // These would name pages 0 and 1, and the last one.
    EXPECT_EQ(address_of(Gfn{std::uint64_t{1} << 52}), std::nullopt);
    EXPECT_EQ(address_of(Gfn{(std::uint64_t{1} << 52) + 1}), std::nullopt);
    EXPECT_EQ(address_of(Gfn{~std::uint64_t{0}}), std::nullopt);
}

TEST(Types, FrameOfAddress)
{
    EXPECT_EQ(frame_of(Gpa{0xfff}), Gfn{0});
    EXPECT_EQ(frame_of(Gpa{0x1000}), Gfn{1});
    EXPECT_EQ(frame_of(Gpa{~std::uint64_t{0}}),
              Gfn{(std::uint64_t{1} << 52) - 1});
}

TEST(Types, OffsetInPage)
{
    EXPECT_EQ(offset_in_page(Gpa{0x5000}), 0U);
    EXPECT_EQ(offset_in_page(Gpa{0x5fff}), 0xfffU);
    EXPECT_EQ(offset_in_page(Gpa{~std::uint64_t{0}}), 0xfffU);
}

TEST(Types, DefaultSlots)
{
    EXPECT_EQ(default_slot_offset(VcpuId{0}), 0U);
    EXPECT_EQ(default_slot_offset(VcpuId{1}), 0x40U);
    EXPECT_EQ(default_slot_offset(VcpuId{31}), 0x7c0U);
    EXPECT_EQ(default_slot_offset(VcpuId{32}), std::nullopt);
    EXPECT_EQ(default_slot_offset(VcpuId{~std::uint32_t{0}}), std::nullopt);
}

TEST(Types, Order)
{
    EXPECT_LT(VcpuId{1}, VcpuId{2});
    EXPECT_GT(Gpa{2}, Gpa{1});
    EXPECT_NE(EvtchnPort{1}, EvtchnPort{2});
}

} // namespace
} // namespace xovl::abi
