// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/hypercall.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace xovl::abi
{
namespace
{

// The bytes as a guest's compiler lays them out, written by hand from
// xen/include/public/memory.h.
TEST(Hypercall, AddToPhysmapOfA64BitGuest)
{
    const unsigned char bytes[24] = {0xf0, 0x7f, 0, 0, 1, 0, 0, 0,
                                     2,    0,    0, 0, 0, 0, 0, 0,
                                     0x34, 0x12, 0, 0, 0, 0, 0, 0x80};
    xen_add_to_physmap<std::uint64_t> args;
    std::memcpy(&args, bytes, sizeof(args));
    EXPECT_EQ(args.domid, DOMID_SELF);
    EXPECT_EQ(args.space, 1U);
    EXPECT_EQ(args.idx, 2U);
    EXPECT_EQ(args.gpfn, 0x8000000000001234U);
}

TEST(Hypercall, AddToPhysmapOfA32BitGuest)
{
    const unsigned char bytes[16] = {0xf0, 0x7f, 0, 0, 1,    0,    0, 0,
                                     2,    0,    0, 0, 0x34, 0x12, 0, 0x80};
    xen_add_to_physmap<std::uint32_t> args;
    std::memcpy(&args, bytes, sizeof(args));
    EXPECT_EQ(args.domid, DOMID_SELF);
    EXPECT_EQ(args.space, 1U);
    EXPECT_EQ(args.idx, 2U);
    EXPECT_EQ(args.gpfn, 0x80001234U);
}

} // namespace
} // namespace xovl::abi
