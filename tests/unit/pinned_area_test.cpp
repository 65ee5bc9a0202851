// SPDX-License-Identifier: GPL-2.0-or-later
// FakeAddressSpace fails these by itself if a pin is given back twice.
#include "core/pinned_area.hpp"

#include <cerrno>
#include <gtest/gtest.h>

#include "fakes/fake_address_space.hpp"

namespace xovl::core
{
namespace
{

using abi::Gpa;

class PinnedAreaTest : public testing::Test
{
protected:
    PinnedArea area(std::uint64_t gpa)
    {
        return std::move(*PinnedArea::create(space_, Gpa{gpa}, 64));
    }

    fakes::Faults faults_;
    fakes::FakeAddressSpace space_{faults_, 0x10000};
};

TEST_F(PinnedAreaTest, HoldsAndGivesBack)
{
    {
        const PinnedArea held = area(0x1040);
        EXPECT_EQ(held.gpa(), Gpa{0x1040});
        EXPECT_EQ(held.host(), space_.host(Gpa{0x1040}));
        EXPECT_EQ(space_.pins(), 1U);
    }
    EXPECT_EQ(space_.pins(), 0U);
}

TEST_F(PinnedAreaTest, NoRam)
{
    const auto area = PinnedArea::create(space_, Gpa{0x10000 - 63}, 64);
    ASSERT_FALSE(area);
    EXPECT_EQ(area.error(), Error(-EINVAL));
    EXPECT_EQ(space_.pins(), 0U);
}

TEST_F(PinnedAreaTest, Move)
{
    PinnedArea first = area(0x1000);
    const PinnedArea second = std::move(first);
    EXPECT_EQ(second.gpa(), Gpa{0x1000});
    EXPECT_EQ(space_.pins(), 1U);
}

TEST_F(PinnedAreaTest, AssignmentKeepsBothUntilTheyGo)
{
    PinnedArea kept = area(0x1000);
    {
        PinnedArea other = area(0x2000);
        kept = std::move(other);
        EXPECT_EQ(kept.gpa(), Gpa{0x2000});
        EXPECT_EQ(space_.pins(), 2U);
    }
    EXPECT_EQ(space_.state().pins, (std::map<Gpa, unsigned>{{Gpa{0x2000}, 1}}));
}

} // namespace
} // namespace xovl::core
