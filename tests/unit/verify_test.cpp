// SPDX-License-Identifier: GPL-2.0-or-later
// Overlay::verify and Overlay::stats.
#include <cerrno>
#include <gtest/gtest.h>

#include "core/overlay.hpp"
#include "overlay_bed.hpp"

namespace xovl::core
{

namespace
{

using abi::Gpa;
using abi::VcpuId;
using Attribute = Difference::Attribute;
using fakes::Setting;

constexpr Gpa kPlace{0x10000};
constexpr Gpa kOwn{0x20040};

class VerifyTest : public testing::TestWithParam<Backends>
{
protected:
    VerifyTest() : bed(GetParam())
    {
        EXPECT_TRUE(bed.overlay->start());
        for (const std::uint32_t id : {0u, 1u, 40u}) {
            EXPECT_TRUE(bed.overlay->attach_vcpu(VcpuId{id}));
        }
    }

    // The only difference there is.
    Difference only()
    {
        const auto found = bed.overlay->verify();
        EXPECT_EQ(1u, found.size());
        return found.empty() ? Difference{} : found.front();
    }

    OverlayBed bed;
};

TEST_P(VerifyTest, NothingWhereAllIsWell)
{
    EXPECT_TRUE(bed.overlay->verify().empty());
    ASSERT_TRUE(bed.map(kPlace.value));
    EXPECT_TRUE(bed.overlay->verify().empty());
    ASSERT_TRUE(bed.enroll(1, kOwn.value));
    ASSERT_TRUE(bed.enroll(40, kOwn.value));
    ASSERT_TRUE(bed.overlay->set_long_mode(true));
    EXPECT_TRUE(bed.overlay->verify().empty());
    ASSERT_TRUE(bed.unmap());
    ASSERT_TRUE(bed.overlay->reset_vcpu(VcpuId{1}));
    EXPECT_TRUE(bed.overlay->verify().empty());
}

TEST_P(VerifyTest, ChangesNothing)
{
    ASSERT_TRUE(bed.map(kPlace.value));
    const auto before = bed.hypervisor.state();
    const auto view = bed.view();
    (void)bed.overlay->verify();
    EXPECT_EQ(before, bed.hypervisor.state());
    EXPECT_TRUE(view == bed.view());
}

TEST_P(VerifyTest, Mode)
{
    bed.hypervisor.latch_long_mode(false);
    const Difference found = only();
    EXPECT_EQ(Attribute::LongMode, found.attribute);
    EXPECT_FALSE(found.vcpu);
    EXPECT_EQ(1u, found.expected);
    EXPECT_EQ(0u, found.actual);
}

TEST_P(VerifyTest, PageElsewhere)
{
    ASSERT_TRUE(bed.map(kPlace.value));
    bed.hypervisor.tamper_shared_info(Setting::guest(0x77));
    const auto found = bed.overlay->verify();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(Attribute::SharedInfoGfn, found[0].attribute);
    EXPECT_EQ(0x77u, found[0].actual);
    if (GetParam().shared_info == Shared::Hva) {
        // By frame, where none was expected, and so not by host address.
        ASSERT_EQ(2u, found.size());
        EXPECT_FALSE(found[0].expected);
        EXPECT_EQ(Attribute::SharedInfoHva, found[1].attribute);
        EXPECT_FALSE(found[1].expected);
        EXPECT_FALSE(found[1].actual);
    } else {
        ASSERT_EQ(1u, found.size());
        EXPECT_EQ(0xfeffaU, found[0].expected); // the window
    }
}

TEST_P(VerifyTest, RegisteredElsewhere)
{
    ASSERT_TRUE(bed.enroll(1, kOwn.value));
    bed.hypervisor.tamper_vcpu_info(VcpuId{1}, Setting::guest(0x5000));
    const Difference found = only();
    EXPECT_EQ(Attribute::VcpuInfoGpa, found.attribute);
    EXPECT_EQ(VcpuId{1}, found.vcpu);
    EXPECT_EQ(kOwn.value, found.expected);
    EXPECT_EQ(0x5000u, found.actual);
}

TEST_P(VerifyTest, SlotElsewhere)
{
    ASSERT_TRUE(bed.map(kPlace.value));
    std::byte other[64];
    bed.hypervisor.tamper_vcpu_info(VcpuId{0}, Setting::host(other));
    const auto found = bed.overlay->verify();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(Attribute::VcpuInfoHva, found.back().attribute);
    EXPECT_EQ(VcpuId{0}, found.back().vcpu);
    EXPECT_FALSE(found.back().expected);
    EXPECT_FALSE(found.back().actual);
}

// A vCPU without a slot has nothing of the guest's.
TEST_P(VerifyTest, SomethingForAVcpuWithoutAny)
{
    bed.hypervisor.tamper_vcpu_info(VcpuId{40}, Setting::guest(0x5000));
    const auto found = bed.overlay->verify();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(Attribute::VcpuInfoGpa, found[0].attribute);
    EXPECT_EQ(VcpuId{40}, found[0].vcpu);
    EXPECT_FALSE(found[0].expected);
    EXPECT_EQ(0x5000u, found[0].actual);
}

TEST_P(VerifyTest, NoAnswerIsADifference)
{
    bed.faults.fail_nth(1, -EINTR);
    const Difference found = only();
    EXPECT_EQ(Attribute::LongMode, found.attribute);
    EXPECT_EQ(1u, found.expected);
    EXPECT_FALSE(found.actual);
}

TEST_P(VerifyTest, Stats)
{
    EXPECT_EQ(1u, bed.overlay->stats().shared_info_sets);
    // Nothing is mapped that this could take away.
    ASSERT_TRUE(bed.unmap());
    EXPECT_EQ(0u, bed.overlay->stats().unmaps);

    ASSERT_TRUE(bed.map(kPlace.value));
    ASSERT_TRUE(bed.map(0x30000));
    ASSERT_TRUE(bed.enroll(1, kOwn.value));
    EXPECT_FALSE(bed.enroll(7, kOwn.value));
    EXPECT_FALSE(bed.enroll(0, bed.kRamSize));
    ASSERT_TRUE(bed.unmap());
    Stats stats = bed.overlay->stats();
    EXPECT_EQ(2u, stats.maps);
    EXPECT_EQ(1u, stats.unmaps);
    EXPECT_EQ(1u, stats.registrations);
    EXPECT_EQ(2u, stats.rejected);
    EXPECT_EQ(0u, stats.hypervisor_errors);
    EXPECT_EQ(1u, stats.shared_info_sets);

    const auto sets = stats.vcpu_info_sets;
    bed.faults.fail_nth(2, -EINVAL); // after the mode was read
    EXPECT_FALSE(bed.overlay->set_long_mode(true));
    stats = bed.overlay->stats();
    EXPECT_EQ(1u, stats.hypervisor_errors);
    EXPECT_EQ(sets, stats.vcpu_info_sets);
}

INSTANTIATE_TEST_SUITE_P(Backends, VerifyTest,
                         testing::Values(kHvaHva, kHvaKernel, kGfnGpa, kHvaGpa,
                                         kGfnHva),
                         name_of);

} // namespace

} // namespace xovl::core
