// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/physmap.hpp"

#include <gtest/gtest.h>

namespace xovl::core
{
namespace
{

using abi::Gpa;

int tokens[2];
const Page kOne{&tokens[0]};
const Page kTwo{&tokens[1]};

TEST(Physmap, Empty)
{
    const Physmap map;
    EXPECT_EQ(map.where(kSharedInfoPage), std::nullopt);
    EXPECT_EQ(map.at(Gpa{0}), std::nullopt);
    EXPECT_TRUE(map.places().empty());
}

TEST(Physmap, APageIsInOnePlace)
{
    Physmap map;
    map.put(kOne, Gpa{0});
    EXPECT_EQ(map.at(Gpa{0}), kOne);
    map.put(kOne, Gpa{0x1000});
    EXPECT_EQ(map.at(Gpa{0}), std::nullopt);
    EXPECT_EQ(map.where(kOne), Gpa{0x1000});
    map.put(kOne, Gpa{0x1000});
    EXPECT_EQ(map.where(kOne), Gpa{0x1000});
    map.remove(kOne);
    EXPECT_EQ(map, Physmap());
    map.remove(kOne);
}

TEST(Physmap, APlaceHasOnePage)
{
    Physmap map;
    map.put(kOne, Gpa{0x1000});
    map.put(kTwo, Gpa{0x1000});
    EXPECT_EQ(map.where(kOne), std::nullopt);
    EXPECT_EQ(map.at(Gpa{0x1000}), kTwo);
    map.put(kSharedInfoPage, Gpa{0x2000});
    map.put(kTwo, Gpa{0x2000});
    EXPECT_EQ(map.where(kSharedInfoPage), std::nullopt);
    EXPECT_EQ(map.at(Gpa{0x1000}), std::nullopt);
    EXPECT_EQ(map.places().size(), 1U);
}

} // namespace
} // namespace xovl::core
