// SPDX-License-Identifier: GPL-2.0-or-later
// Offsets and sizes are checked where they are declared, at compile time;
// here is what lies between them.
#include "abi/layout.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace xovl::abi
{
namespace
{

template <typename Word>
class Layout : public testing::Test
{
};

using Words = testing::Types<std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(Layout, Words, );

TYPED_TEST(Layout, SlotsAreWhereTheirOffsetSays)
{
    SharedInfo<TypeParam> page = {};
    for (std::uint32_t id = 0; id < kLegacyMaxVcpus; ++id) {
        const auto *slot =
            reinterpret_cast<const std::byte *>(&page.vcpu_info[id]);
        EXPECT_EQ(
            slot - reinterpret_cast<const std::byte *>(&page),
            static_cast<std::ptrdiff_t>(*default_slot_offset(VcpuId{id})));
    }
}

TYPED_TEST(Layout, OneSelectorBitPerWordOfPorts)
{
    EXPECT_EQ(kEvtchnPorts<TypeParam>,
              kEvtchnWords<TypeParam> * 8 * sizeof(TypeParam));
    EXPECT_EQ(kEvtchnWords<TypeParam>,
              8 * sizeof(VcpuInfo<TypeParam>::evtchn_pending_sel));
}

TYPED_TEST(Layout, FitsThePage)
{
    EXPECT_LE(sizeof(SharedInfo<TypeParam>), kPageSize);
}

TYPED_TEST(Layout, UpperSecondsByOneName)
{
    SharedInfo<TypeParam> page = {};
    const std::uint32_t value = 0x11223344;
    std::memcpy(reinterpret_cast<std::byte *>(&page) +
                    kWcSecHiOffset<TypeParam>,
                &value, sizeof(value));
    if constexpr (sizeof(TypeParam) == 8) {
        EXPECT_EQ(page.wc_sec_hi, value);
    } else {
        EXPECT_EQ(page.arch.wc_sec_hi, value);
    }
}

// A 32-bit guest may register an area at any multiple of 4, where a type
// that claimed more would be undefined behaviour to use.
TEST(LayoutOf32BitGuests, TimeAtAMultipleOfFour)
{
    alignas(8) std::byte memory[kVcpuInfoSize + 4] = {};
    auto *area = reinterpret_cast<VcpuInfo32 *>(memory + 4);
    area->time.system_time = 0x1122334455667788;
    std::uint64_t read = 0;
    std::memcpy(&read, memory + 4 + 0x30, sizeof(read));
    EXPECT_EQ(read, 0x1122334455667788U);
}

} // namespace
} // namespace xovl::abi
