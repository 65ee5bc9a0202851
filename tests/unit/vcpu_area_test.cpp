// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/vcpu_area.hpp"

#include <cstring>
#include <gtest/gtest.h>

#include "abi/layout.hpp"

namespace xovl::core
{
namespace
{

using abi::VcpuInfo32;
using abi::VcpuInfo64;

VcpuInfo64 as64(const VcpuArea &area)
{
    VcpuInfo64 info;
    std::memcpy(&info, area.data(), sizeof(info));
    return info;
}

VcpuInfo32 as32(const VcpuArea &area)
{
    VcpuInfo32 info;
    std::memcpy(&info, area.data(), sizeof(info));
    return info;
}

TEST(VcpuArea, FreshIsZeroButForTheMask)
{
    VcpuArea area = fresh_area();
    EXPECT_EQ(as64(area).evtchn_upcall_mask, 1);
    area[offsetof(VcpuInfo64, evtchn_upcall_mask)] = std::byte{0};
    EXPECT_EQ(area, VcpuArea());
}

TEST(VcpuArea, UnseenHasAllWordsPendingAndNoUpcall)
{
    const VcpuArea area = unseen_area();
    EXPECT_EQ(as64(area).evtchn_pending_sel, ~std::uint64_t{0});
    EXPECT_EQ(as32(area).evtchn_pending_sel, ~std::uint32_t{0});
    EXPECT_EQ(as64(area).evtchn_upcall_pending, 0);
    EXPECT_EQ(as64(area).time.version, 0U);
}

TEST(VcpuArea, MarkAllPending)
{
    alignas(64) VcpuInfo64 info = {};
    EXPECT_TRUE(mark_all_pending(&info, true));
    EXPECT_EQ(info.evtchn_pending_sel, ~std::uint64_t{0});
    EXPECT_EQ(info.evtchn_upcall_pending, 1);
    EXPECT_EQ(info.arch.cr2, 0U);
    EXPECT_FALSE(mark_all_pending(&info, true));

    // The upcall of whoever was called already stays what it is, whatever
    // its other bits are.
    alignas(64) VcpuInfo32 compat = {};
    compat.evtchn_upcall_mask = 1;
    EXPECT_TRUE(mark_all_pending(&compat, false));
    EXPECT_EQ(compat.evtchn_pending_sel, ~std::uint32_t{0});
    EXPECT_EQ(compat.evtchn_upcall_mask, 1);
    EXPECT_EQ(compat.arch.cr2, 0U);
}

TEST(VcpuArea, MarkPending)
{
    alignas(64) VcpuInfo64 info = {};
    info.evtchn_pending_sel = 4;
    EXPECT_FALSE(mark_pending(&info, true, 0));
    EXPECT_EQ(info.evtchn_pending_sel, 4U);
    EXPECT_EQ(info.evtchn_upcall_pending, 0);
    EXPECT_TRUE(mark_pending(&info, true, 0x8000'0000'0000'0001));
    EXPECT_EQ(info.evtchn_pending_sel, 0x8000'0000'0000'0005);
    EXPECT_EQ(info.evtchn_upcall_pending, 1);
    // It is pending already, and stays so.
    EXPECT_TRUE(mark_pending(&info, true, 0));
    EXPECT_EQ(info.arch.cr2, 0U);

    alignas(64) VcpuInfo32 compat = {};
    EXPECT_TRUE(mark_pending(&compat, false, 0x8000'0001));
    EXPECT_EQ(compat.evtchn_pending_sel, 0x8000'0001);
    EXPECT_EQ(compat.evtchn_upcall_pending, 1);
    EXPECT_EQ(compat.arch.cr2, 0U);
}

// As a guest may have registered it in the 32-bit layout.
TEST(VcpuArea, MarkPendingAlignedToFour)
{
    alignas(64) std::array<std::uint32_t, 32> memory = {};
    EXPECT_TRUE(mark_pending(&memory[1], true, ~std::uint64_t{0}));
    EXPECT_EQ(memory[1], 1U);
    EXPECT_EQ(memory[3], ~0U);
    EXPECT_EQ(memory[4], ~0U);
    EXPECT_EQ(memory[2] | memory[5], 0U);
}

TEST(VcpuArea, TakeTime)
{
    alignas(64) VcpuInfo64 from = {};
    from.time.version = 4;
    from.time.system_time = 77;
    from.evtchn_pending_sel = 5;
    VcpuArea to = fresh_area();
    EXPECT_TRUE(take_time(to, &from));
    EXPECT_EQ(as64(to).time.version, 4U);
    EXPECT_EQ(as64(to).time.system_time, 77U);
    EXPECT_EQ(as64(to).evtchn_pending_sel, 0U);
}

// A guest may leave anything there, for ever.
TEST(VcpuArea, TakeNoTime)
{
    for (const std::uint32_t version : {0U, 1U, 0xffffffffU}) {
        alignas(64) VcpuInfo64 from = {};
        from.time.version = version;
        from.time.system_time = 77;
        VcpuArea to = fresh_area();
        EXPECT_FALSE(take_time(to, &from));
        EXPECT_EQ(to, fresh_area());
    }
}

TEST(VcpuArea, ReadAndWrite)
{
    alignas(64) VcpuInfo64 info = {};
    info.evtchn_pending_sel = 0x1234;
    const VcpuArea area = read_area(&info);
    info = {};
    write_area(&info, area);
    EXPECT_EQ(info.evtchn_pending_sel, 0x1234U);
}

} // namespace
} // namespace xovl::core
