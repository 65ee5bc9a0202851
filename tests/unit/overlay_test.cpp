// SPDX-License-Identifier: GPL-2.0-or-later
// What each operation does when nothing goes wrong outside, and what it
// refuses.  What it does when something goes wrong: overlay_failure_test.cpp.
#include "core/overlay.hpp"

#include <cerrno>
#include <gtest/gtest.h>
#include <vector>

#include "overlay_bed.hpp"

namespace xovl::core
{
namespace
{

using abi::Gpa;
using abi::VcpuId;
using fakes::Call;
using fakes::Setting;
using Calls = std::vector<Call>;
using Source = VcpuInfoPlace::Source;

int errno_of(const Status &status)
{
    return status ? 0 : status.error().value();
}

// With every pair of backends.
class EveryOverlay : public testing::TestWithParam<Backends>
{
protected:
    void SetUp() override { ASSERT_TRUE(overlay().start()); }
    void TearDown() override
    {
        if (bed_.overlay) {
            bed_.expect_agreement();
        }
    }

    Overlay &overlay() { return *bed_.overlay; }
    void attach(std::initializer_list<std::uint32_t> vcpus)
    {
        for (const std::uint32_t vcpu : vcpus) {
            ASSERT_TRUE(overlay().attach_vcpu(VcpuId{vcpu}));
            bed_.expect_agreement();
        }
    }

    OverlayBed bed_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Backends, EveryOverlay,
                         testing::Values(kHvaHva, kHvaKernel, kGfnGpa, kHvaGpa,
                                         kGfnHva),
                         name_of);

TEST_P(EveryOverlay, Start)
{
    EXPECT_EQ(overlay().shared_info_backend(), GetParam().shared_info);
    EXPECT_EQ(overlay().default_vcpu_info_backend(), std::nullopt);
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    EXPECT_EQ(overlay().refusal(), nullptr);
    // Xen's default, and before the page: the wallclock is written at once.
    EXPECT_TRUE(overlay().is_long_mode());
    Calls expected{{Call::Op::LongMode}, Call::set_long_mode(true)};
    if (GetParam().shared_info == Shared::Hva) {
        expected.push_back(Call::shared_info(Setting::host(bed_.page)));
    }
    EXPECT_EQ(bed_.hypervisor.calls(), expected);
}

TEST_P(EveryOverlay, Attach)
{
    attach({0, 31});
    EXPECT_EQ(overlay().default_vcpu_info_backend(),
              GetParam().default_vcpu_info);
    const VcpuInfoPlace place = overlay().vcpu_info(VcpuId{31});
    EXPECT_EQ(place.source, Source::DefaultSlot);
    EXPECT_EQ(place.gpa, std::nullopt);
    EXPECT_EQ(place.host, bed_.slot(31));
}

TEST_P(EveryOverlay, AttachTwice)
{
    attach({0});
    EXPECT_EQ(errno_of(overlay().attach_vcpu(VcpuId{0})), -EEXIST);
}

TEST_P(EveryOverlay, NoSuchVcpu)
{
    attach({0});
    bed_.hypervisor.forget_calls();
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}), VcpuInfoPlace());
    EXPECT_EQ(errno_of(overlay().detach_vcpu(VcpuId{1})), -ENOENT);
    EXPECT_EQ(errno_of(overlay().register_vcpu_info(VcpuId{1}, Gpa{0x3000})),
              -ENOENT);
    EXPECT_EQ(errno_of(overlay().reset_vcpu(VcpuId{1})), -ENOENT);
    EXPECT_EQ(bed_.hypervisor.calls(), Calls());
}

TEST_P(EveryOverlay, MapRemapUnmap)
{
    attach({0, 1, 31, 32});
    for (const std::uint64_t gpa :
         {0x1000ULL, 0x5000ULL, 0x5000ULL, 0xfee00000ULL, 0xfffffffffffff000ULL,
          0x0ULL}) {
        ASSERT_TRUE(overlay().map(Gpa{gpa}));
        EXPECT_EQ(overlay().gpa(), Gpa{gpa});
        EXPECT_EQ(overlay().vcpu_info(VcpuId{31}).gpa, Gpa{gpa + 0x7c0});
        EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
        bed_.expect_agreement();
    }
    ASSERT_TRUE(overlay().unmap());
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    bed_.expect_agreement();
    ASSERT_TRUE(overlay().unmap());
}

TEST_P(EveryOverlay, MapWithinAPage)
{
    for (const std::uint64_t gpa : {0x1001ULL, 0x1fffULL, ~0ULL}) {
        EXPECT_EQ(errno_of(overlay().map(Gpa{gpa})), -EINVAL);
        EXPECT_EQ(errno_of(overlay().restore(Gpa{gpa}, false)), -EINVAL);
        EXPECT_TRUE(bed_.hypervisor.state().long_mode);
    }
    EXPECT_EQ(bed_.space.placements(), 0U);
}

TEST_P(EveryOverlay, HotPlugAfterMap)
{
    attach({0});
    ASSERT_TRUE(overlay().map(Gpa{0x7000}));
    attach({1});
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}).gpa, Gpa{0x7040});
    // TearDown: expect_agreement()
}

TEST_P(EveryOverlay, Register)
{
    attach({0, 1});
    ASSERT_TRUE(overlay().map(Gpa{0x1000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{1}, Gpa{0x3fc0}));
    const VcpuInfoPlace place = overlay().vcpu_info(VcpuId{1});
    EXPECT_EQ(place.source, Source::Registered);
    EXPECT_EQ(place.gpa, Gpa{0x3fc0});
    EXPECT_EQ(place.host, bed_.space.host(Gpa{0x3fc0}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{0}).source, Source::DefaultSlot);
    bed_.expect_agreement();

    // It does not move with the page.
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().map(Gpa{0x2000}));
    ASSERT_TRUE(overlay().unmap());
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}), place);
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_NE(call.vcpu, VcpuId{1}) << call;
    }
}

TEST_P(EveryOverlay, RegisterWhereItCannotBe)
{
    attach({0});
    bed_.hypervisor.forget_calls();
    for (const std::uint64_t gpa : {0x3fc1ULL,        // crosses a page
                                    0x3fffULL, ~0ULL, //
                                    0x100000ULL,      // no RAM
                                    0x8000000000ULL, 0xfffffffffffff000ULL}) {
        EXPECT_EQ(errno_of(overlay().register_vcpu_info(VcpuId{0}, Gpa{gpa})),
                  -EINVAL)
            << std::hex << gpa;
    }
    EXPECT_EQ(bed_.hypervisor.calls(), Calls());
}

TEST_P(EveryOverlay, RegisterOverRegister)
{
    attach({0});
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, Gpa{0x3000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, Gpa{0x4000}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{0}).gpa, Gpa{0x4000});
    EXPECT_EQ(bed_.space.pins(), 1U);
    // The same again pins it anew.
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, Gpa{0x4000}));
    EXPECT_EQ(bed_.space.pins(), 1U);
}

TEST_P(EveryOverlay, ResetVcpu)
{
    attach({0, 40});
    ASSERT_TRUE(overlay().map(Gpa{0x1000}));
    for (const std::uint32_t id : {0U, 40U}) {
        const VcpuId vcpu{id};
        const VcpuInfoPlace before = overlay().vcpu_info(vcpu);
        ASSERT_TRUE(overlay().register_vcpu_info(vcpu, Gpa{0x3000}));
        ASSERT_TRUE(overlay().reset_vcpu(vcpu));
        EXPECT_EQ(overlay().vcpu_info(vcpu), before);
        EXPECT_EQ(bed_.space.pins(), 0U);
        bed_.expect_agreement();
    }
    // Nothing to do, nothing done.
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{0}));
    EXPECT_EQ(bed_.hypervisor.calls(), Calls());
}

// Registered while the page was elsewhere, or nowhere.
TEST_P(EveryOverlay, ResetVcpuAfterThePageMoved)
{
    attach({0, 1});
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, Gpa{0x3000}));
    ASSERT_TRUE(overlay().map(Gpa{0x1000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{1}, Gpa{0x4000}));
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{0}));
    bed_.expect_agreement();
    ASSERT_TRUE(overlay().unmap());
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{1}));
}

TEST_P(EveryOverlay, VcpusBeyondTheLastSlot)
{
    attach({32, 33});
    ASSERT_TRUE(overlay().map(Gpa{0x1000}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_NE(call.op, Call::Op::SetVcpuInfo) << call;
    }
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{32}, Gpa{0x3000}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}).source, Source::Registered);
    bed_.expect_agreement();
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{32}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
}

TEST_P(EveryOverlay, DetachLeavesNothing)
{
    attach({0, 1, 2, 32, 33});
    ASSERT_TRUE(overlay().map(Gpa{0x1000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{1}, Gpa{0x3000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{33}, Gpa{0x4000}));
    for (const std::uint32_t id : {0U, 1U, 32U, 33U}) {
        ASSERT_TRUE(overlay().detach_vcpu(VcpuId{id}));
        EXPECT_EQ(bed_.hypervisor.vcpu_info(VcpuId{id}), Setting::none());
        EXPECT_EQ(overlay().vcpu_info(VcpuId{id}), VcpuInfoPlace());
        bed_.expect_agreement();
    }
    EXPECT_EQ(bed_.space.pins(), 0U);

    // No longer told when the page moves; and it may come again.
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().map(Gpa{0x2000}));
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_TRUE(!call.vcpu || call.vcpu == VcpuId{2}) << call;
    }
    attach({0, 1});
}

TEST_P(EveryOverlay, DestructionGivesPinsBack)
{
    attach({0, 1});
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, Gpa{0x3000}));
    ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{1}, Gpa{0x3040}));
    EXPECT_EQ(bed_.space.pins(), 2U);
    bed_.overlay.reset();
    EXPECT_EQ(bed_.space.pins(), 0U);
}

TEST_P(EveryOverlay, LongMode)
{
    ASSERT_TRUE(overlay().set_long_mode(true));
    EXPECT_TRUE(overlay().is_long_mode());
    EXPECT_TRUE(bed_.hypervisor.state().long_mode);
    ASSERT_TRUE(overlay().set_long_mode(false));
    EXPECT_FALSE(overlay().is_long_mode());
    EXPECT_FALSE(bed_.hypervisor.state().long_mode);
}

TEST_P(EveryOverlay, LongModeLatchedByTheHypervisor)
{
    bed_.hypervisor.latch_long_mode(false);
    EXPECT_TRUE(overlay().is_long_mode());
    ASSERT_TRUE(overlay().sync_long_mode());
    EXPECT_FALSE(overlay().is_long_mode());
}

TEST_P(EveryOverlay, RefreshWallclockSetsTheModeThatIs)
{
    bed_.hypervisor.latch_long_mode(true);
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().refresh_wallclock());
    EXPECT_EQ(bed_.hypervisor.calls(),
              (Calls{{Call::Op::LongMode}, Call::set_long_mode(true)}));
    EXPECT_TRUE(overlay().is_long_mode());
}

TEST_P(EveryOverlay, Restore)
{
    attach({0, 1});
    ASSERT_TRUE(overlay().restore(Gpa{0x9000}, true));
    EXPECT_EQ(overlay().gpa(), Gpa{0x9000});
    EXPECT_TRUE(overlay().is_long_mode());
    EXPECT_TRUE(bed_.hypervisor.state().long_mode);
    bed_.expect_agreement();

    // Over a state, and to none: loadvm.
    ASSERT_TRUE(overlay().restore(std::nullopt, false));
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    EXPECT_FALSE(overlay().is_long_mode());
}

// Or the wallclock would be written over pending bits.
TEST_P(EveryOverlay, RestoreSetsTheModeBeforeThePage)
{
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().restore(Gpa{0x9000}, true));
    bool mode_set = false;
    for (const Call &call : bed_.hypervisor.calls()) {
        mode_set = mode_set || call == Call::set_long_mode(true);
        EXPECT_TRUE(call.op != Call::Op::SetSharedInfo || mode_set) << call;
    }
    EXPECT_TRUE(mode_set);
}

// The point of the whole: by host address a remap does not concern the
// hypervisor.
TEST(Overlay, HundredRemapsWithoutAHypervisorCall)
{
    for (const Backends &backends : {kHvaHva, kHvaKernel}) {
        SCOPED_TRACE(backends.name);
        OverlayBed bed(backends);
        ASSERT_TRUE(bed.overlay->start());
        for (std::uint32_t id = 0; id < 40; ++id) {
            ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{id}));
        }
        bed.hypervisor.forget_calls();
        for (std::uint64_t n = 0; n < 100; ++n) {
            ASSERT_TRUE(bed.overlay->map(Gpa{n % 7 << 12}));
        }
        ASSERT_TRUE(bed.overlay->unmap());
        EXPECT_EQ(bed.hypervisor.calls(), Calls());
        EXPECT_EQ(bed.space.placements(), 101U);
        bed.expect_agreement();
    }
}

// By guest address everything is off before the page moves and on after.
TEST(Overlay, OrderOfARemapByGuestAddress)
{
    OverlayBed bed(kGfnGpa);
    ASSERT_TRUE(bed.overlay->start());
    ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{0}));
    ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{1}));
    ASSERT_TRUE(bed.overlay->map(Gpa{0x1000}));
    bed.hypervisor.forget_calls();
    ASSERT_TRUE(bed.overlay->map(Gpa{0x2000}));
    EXPECT_EQ(bed.hypervisor.calls(),
              (Calls{Call::vcpu_info(VcpuId{0}, Setting::none()),
                     Call::vcpu_info(VcpuId{1}, Setting::none()),
                     Call::shared_info(Setting::none()),
                     Call::shared_info(Setting::guest(2)),
                     Call::vcpu_info(VcpuId{0}, Setting::guest(0x2000)),
                     Call::vcpu_info(VcpuId{1}, Setting::guest(0x2040))}));
}

TEST(Overlay, RefusesASharedInfoThatTheKernelLacks)
{
    Backends backends = kGfnGpa;
    backends.request.shared_info = Shared::Hva;
    OverlayBed bed(backends);
    EXPECT_EQ(errno_of(bed.overlay->start()), -ENOTSUP);
    EXPECT_STREQ(bed.overlay->refusal(), fakes::FakeHypervisor::kSharedInfoHva);
    EXPECT_EQ(bed.hypervisor.calls(), Calls());
}

TEST(Overlay, RefusesADefaultVcpuInfoThatTheKernelLacks)
{
    Backends backends = kHvaHva;
    backends.request.default_vcpu_info = Default::Kernel;
    OverlayBed bed(backends);
    ASSERT_TRUE(bed.overlay->start());
    EXPECT_EQ(errno_of(bed.overlay->attach_vcpu(VcpuId{0})), -ENOTSUP);
    EXPECT_STREQ(bed.overlay->refusal(),
                 fakes::FakeHypervisor::kVcpuInfoKernel);
    EXPECT_EQ(bed.overlay->vcpu_info(VcpuId{0}), VcpuInfoPlace());
    EXPECT_EQ(bed.overlay->default_vcpu_info_backend(), std::nullopt);
}

} // namespace
} // namespace xovl::core
