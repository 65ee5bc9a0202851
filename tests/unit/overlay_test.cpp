// SPDX-License-Identifier: GPL-2.0-or-later
// What each operation does when nothing goes wrong outside, and what it
// refuses.  What it does when something goes wrong: overlay_failure_test.cpp.
#include "core/overlay.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "abi/layout.hpp"
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
    const bool hva = GetParam().shared_info == Shared::Hva;
    EXPECT_EQ(bed_.hypervisor.calls(),
              (Calls{{Call::Op::LongMode},
                     Call::set_long_mode(true),
                     Call::shared_info(hva ? Setting::host(bed_.page)
                                           : Setting::guest(0xfeffa))}));
    EXPECT_EQ(bed_.space.window_is_open(), !hva);
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
    EXPECT_EQ(errno_of(bed_.enroll(1, 0x3000)), -ENOENT);
    EXPECT_EQ(errno_of(overlay().restore_vcpu(VcpuId{1}, Gpa{0x3000})),
              -ENOENT);
    EXPECT_EQ(errno_of(overlay().reset_vcpu(VcpuId{1})), -ENOENT);
    EXPECT_EQ(bed_.hypervisor.calls(), Calls());
}

TEST_P(EveryOverlay, MapRemapUnmap)
{
    attach({0, 1, 31, 32});
    for (const std::uint64_t gpa : {0x1000ULL, 0x5000ULL, 0x5000ULL,
                                    0xfee00000ULL, 0xfffffff000ULL, 0x0ULL}) {
        ASSERT_TRUE(bed_.map(gpa));
        EXPECT_EQ(overlay().gpa(), Gpa{gpa});
        EXPECT_EQ(overlay().vcpu_info(VcpuId{31}).gpa, Gpa{gpa + 0x7c0});
        EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
        bed_.expect_agreement();
    }
    ASSERT_TRUE(bed_.unmap());
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    bed_.expect_agreement();
    ASSERT_TRUE(bed_.unmap());
}

TEST_P(EveryOverlay, MapWithinAPage)
{
    for (const std::uint64_t gpa : {0x1001ULL, 0x1fffULL, ~0ULL}) {
        EXPECT_EQ(errno_of(bed_.map(gpa)), -EINVAL);
        EXPECT_EQ(errno_of(overlay().restore(Gpa{gpa}, false)), -EINVAL);
        EXPECT_TRUE(bed_.hypervisor.state().long_mode);
    }
    EXPECT_EQ(bed_.space.placements(), 0U);
}

TEST_P(EveryOverlay, HotPlugAfterMap)
{
    attach({0});
    ASSERT_TRUE(bed_.map(0x7000));
    attach({1});
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}).gpa, Gpa{0x7040});
    // TearDown: expect_agreement()
}

TEST_P(EveryOverlay, Register)
{
    attach({0, 1});
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(bed_.enroll(1, 0x3fc0));
    const VcpuInfoPlace place = overlay().vcpu_info(VcpuId{1});
    EXPECT_EQ(place.source, Source::Registered);
    EXPECT_EQ(place.gpa, Gpa{0x3fc0});
    EXPECT_EQ(place.host, bed_.space.host(Gpa{0x3fc0}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{0}).source, Source::DefaultSlot);
    bed_.expect_agreement();

    // It does not move with the page.
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(bed_.map(0x2000));
    ASSERT_TRUE(bed_.unmap());
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}), place);
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_NE(call.vcpu, VcpuId{1}) << call;
    }
}

TEST_P(EveryOverlay, RegisterWhereItCannotBe)
{
    attach({0});
    bed_.hypervisor.forget_calls();
    EXPECT_EQ(errno_of(bed_.enroll(0, 0x3fc8)), -ENXIO); // crosses a page
    EXPECT_EQ(errno_of(bed_.enroll(0, 0x3004)), -ENXIO); // misaligned
    for (const std::uint64_t gpa :
         {0x100000ULL, 0x8000000000ULL, 0xfffffffffffff000ULL}) { // no RAM
        EXPECT_EQ(errno_of(bed_.enroll(0, gpa)), -EINVAL) << std::hex << gpa;
    }
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_EQ(call.op, Call::Op::LongMode) << call;
    }
    EXPECT_EQ(overlay().stats().rejected, 5U);
}

// In the layout that the guest uses, which the hypervisor may have latched.
TEST_P(EveryOverlay, RegisterAtFourBytesWith32Bits)
{
    attach({0});
    bed_.hypervisor.latch_long_mode(false);
    ASSERT_TRUE(bed_.enroll(0, 0x3004));
    const auto *words =
        static_cast<const std::uint32_t *>(overlay().vcpu_info(VcpuId{0}).host);
    EXPECT_EQ(words[1], ~0U);
    EXPECT_EQ(words[2], 0U);
}

TEST_P(EveryOverlay, RegisterOnlyOnce)
{
    attach({0});
    ASSERT_TRUE(bed_.enroll(0, 0x3000));
    EXPECT_EQ(errno_of(bed_.enroll(0, 0x4000)), -EINVAL);
    EXPECT_EQ(errno_of(bed_.enroll(0, 0x3000)), -EINVAL);
    EXPECT_EQ(overlay().vcpu_info(VcpuId{0}).gpa, Gpa{0x3000});
    EXPECT_EQ(bed_.space.pins(), 1U);
}

// What Xen does for a guest at a registration.
TEST_P(EveryOverlay, RegistrationKeepsWhatWasInTheSlot)
{
    attach({0, 1});
    auto *slot = static_cast<std::uint64_t *>(bed_.slot(1));
    slot[3] = 0x6d61726b; // arch.pad
    slot[4] = 6;          // time.version
    slot[6] = 0x1234;     // time.system_time
    auto *own = static_cast<std::uint64_t *>(bed_.space.host(Gpa{0x3040}));
    ASSERT_TRUE(bed_.enroll(1, 0x3040));
    EXPECT_EQ(own[3], 0x6d61726bU);
    EXPECT_EQ(own[6], 0x1234U);
    EXPECT_EQ(own[1], ~std::uint64_t{0}) << "selector";
    EXPECT_EQ(own[0] & 0xff, 1U) << "upcall";
    EXPECT_EQ(bed_.upcalls.called(), std::vector{VcpuId{1}});
}

// Who was called already is not called again.
TEST_P(EveryOverlay, RegistrationWithAnUpcallPending)
{
    attach({0});
    *static_cast<std::uint8_t *>(bed_.slot(0)) = 1;
    ASSERT_TRUE(bed_.enroll(0, 0x3000));
    EXPECT_TRUE(bed_.upcalls.called().empty());
}

// But for another vCPU, which may have answered that call by now.
TEST_P(EveryOverlay, RegistrationForAnotherWithAnUpcallPending)
{
    attach({0, 1});
    *static_cast<std::uint8_t *>(bed_.slot(1)) = 1;
    ASSERT_TRUE(
        overlay().register_vcpu_info(VcpuId{0}, VcpuId{1}, abi::Gfn{3}, 0));
    EXPECT_EQ(bed_.upcalls.called(), std::vector{VcpuId{1}});
}

// KVM goes from one place to the other, and is never without one.
TEST_P(EveryOverlay, OrderOfARegistration)
{
    attach({0});
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(bed_.enroll(0, 0x3000));
    const Calls expected = {{Call::Op::LongMode},
                            Call::vcpu_info(VcpuId{0}, Setting::guest(0x3000))};
    EXPECT_EQ(bed_.hypervisor.calls(), expected);
}

// The one that registers has a time, the one it registers for may have none,
// or an old one.
TEST_P(EveryOverlay, RegistrationForAnotherHasTheTime)
{
    attach({0, 1, 40});
    auto *slot = static_cast<std::uint64_t *>(bed_.slot(0));
    slot[4] = 8;
    slot[6] = 0x5678;
    static_cast<std::uint64_t *>(bed_.slot(1))[6] = 1;
    std::uint64_t gpa = 0x3000;
    for (const std::uint32_t target : {1U, 40U}) {
        const auto *own =
            static_cast<std::uint64_t *>(bed_.space.host(Gpa{gpa}));
        ASSERT_TRUE(overlay().register_vcpu_info(VcpuId{0}, VcpuId{target},
                                                 abi::Gfn{gpa >> 12}, 0));
        EXPECT_EQ(own[4], 8U);
        EXPECT_EQ(own[6], 0x5678U);
        gpa += 0x1000;
    }
    // A caller that has none itself: somebody has.
    attach({2, 41, 42});
    ASSERT_TRUE(
        overlay().register_vcpu_info(VcpuId{42}, VcpuId{41}, abi::Gfn{7}, 0));
    EXPECT_EQ(static_cast<std::uint64_t *>(bed_.space.host(Gpa{0x7000}))[6],
              0x5678U);
}

TEST_P(EveryOverlay, ResetVcpu)
{
    attach({0, 40});
    ASSERT_TRUE(bed_.map(0x1000));
    for (const std::uint32_t id : {0U, 40U}) {
        const VcpuId vcpu{id};
        const VcpuInfoPlace before = overlay().vcpu_info(vcpu);
        ASSERT_TRUE(bed_.enroll(id, 0x3000));
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
    ASSERT_TRUE(bed_.enroll(0, 0x3000));
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(bed_.enroll(1, 0x4000));
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{0}));
    bed_.expect_agreement();
    ASSERT_TRUE(bed_.unmap());
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{1}));
}

TEST_P(EveryOverlay, VcpusBeyondTheLastSlot)
{
    attach({32, 33});
    ASSERT_TRUE(bed_.map(0x1000));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
    ASSERT_TRUE(bed_.enroll(32, 0x3000));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}).source, Source::Registered);
    const auto *own =
        static_cast<std::uint64_t *>(bed_.space.host(Gpa{0x3000}));
    EXPECT_EQ(own[0], 0x101U) << "upcall pending, and masked";
    EXPECT_EQ(own[1], ~std::uint64_t{0});
    EXPECT_EQ(own[2], 0U);
    bed_.expect_agreement();
    ASSERT_TRUE(overlay().reset_vcpu(VcpuId{32}));
    EXPECT_EQ(overlay().vcpu_info(VcpuId{32}), VcpuInfoPlace());
}

// So that an event does not call a vCPU that could do nothing about it.
TEST(Overlay, TheUnseenVcpuInfoTakesNoEvent)
{
    for (const Backends &backends : {kHvaHva, kHvaGpa, kGfnHva}) {
        SCOPED_TRACE(backends.name);
        OverlayBed bed(backends);
        ASSERT_TRUE(bed.overlay->start());
        ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{32}));
        const Setting held = bed.hypervisor.vcpu_info(VcpuId{32});
        ASSERT_EQ(held.kind, Setting::Kind::Host);
        EXPECT_EQ(held.value % 64, 0U);
        const auto *words = reinterpret_cast<const std::uint32_t *>(held.value);
        EXPECT_EQ(words[0], 0x100U) << "no upcall pending";
        EXPECT_EQ(words[1], ~0U) << "the 32-bit selector";
        EXPECT_EQ(words[2], ~0U) << "the 64-bit selector";
        EXPECT_EQ(words[3], ~0U);
    }
    // Where KVM takes no host address it is told nothing.
    for (const Backends &backends : {kGfnGpa, kHvaKernel}) {
        OverlayBed bed(backends);
        ASSERT_TRUE(bed.overlay->start());
        ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{32}));
        EXPECT_EQ(bed.hypervisor.vcpu_info(VcpuId{32}), Setting::none());
    }
}

TEST_P(EveryOverlay, DetachLeavesNothing)
{
    attach({0, 1, 2, 32, 33});
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(bed_.enroll(1, 0x3000));
    ASSERT_TRUE(bed_.enroll(33, 0x4000));
    for (const std::uint32_t id : {0U, 1U, 32U, 33U}) {
        ASSERT_TRUE(overlay().detach_vcpu(VcpuId{id}));
        EXPECT_EQ(bed_.hypervisor.vcpu_info(VcpuId{id}), Setting::none());
        EXPECT_EQ(overlay().vcpu_info(VcpuId{id}), VcpuInfoPlace());
        bed_.expect_agreement();
    }
    EXPECT_EQ(bed_.space.pins(), 0U);

    // No longer told when the page moves; and it may come again.
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(bed_.map(0x2000));
    for (const Call &call : bed_.hypervisor.calls()) {
        EXPECT_TRUE(!call.vcpu || call.vcpu == VcpuId{2}) << call;
    }
    attach({0, 1});
}

TEST_P(EveryOverlay, DestructionGivesPinsBack)
{
    attach({0, 1});
    ASSERT_TRUE(bed_.enroll(0, 0x3000));
    ASSERT_TRUE(bed_.enroll(1, 0x3040));
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

// The guest has changed its mode by the hypercall MSR, then maps the page,
// and an old KVM has not written the wallclock where it is now.
TEST_P(EveryOverlay, AMapWritesTheWallclockWhereTheHypervisorDoesNot)
{
    bed_.hypervisor.latch_long_mode(false);
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(bed_.map(0x1000));
    const auto &calls = bed_.hypervisor.calls();
    EXPECT_EQ(
        std::count(calls.begin(), calls.end(), Call::set_long_mode(false)),
        bed_.hypervisor.has_shared_info_hva() ? 0 : 1);
    EXPECT_FALSE(bed_.hypervisor.state().long_mode);
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

TEST_P(EveryOverlay, RestoreOfAVcpu)
{
    attach({0});
    auto *own = static_cast<std::uint64_t *>(bed_.space.host(Gpa{0x3000}));
    own[1] = 2;
    for (int n = 0; n < 2; ++n) {
        ASSERT_TRUE(overlay().restore_vcpu(VcpuId{0}, Gpa{0x3000}));
        EXPECT_EQ(overlay().vcpu_info(VcpuId{0}).source, Source::Registered);
        EXPECT_EQ(bed_.space.pins(), 1U);
    }
    EXPECT_EQ(own[1], 2U) << "its content came with the guest's RAM";
    for (const std::uint64_t gpa : {0x3fc4ULL, 0x3002ULL, ~0ULL, 0x100000ULL}) {
        EXPECT_EQ(errno_of(overlay().restore_vcpu(VcpuId{0}, Gpa{gpa})),
                  -EINVAL);
    }
}

// What was being delivered when the guest was saved is in shared_info, and
// nobody has been told.
TEST_P(EveryOverlay, RecallEvents)
{
    attach({0, 1, 40, 41});
    ASSERT_TRUE(overlay().restore(Gpa{0x9000}, true));
    ASSERT_TRUE(overlay().restore_vcpu(VcpuId{1}, Gpa{0x3040}));
    ASSERT_TRUE(overlay().restore_vcpu(VcpuId{41}, Gpa{0x3080}));
    auto *info = reinterpret_cast<abi::SharedInfo64 *>(bed_.page);
    info->evtchn_pending[0] = 6;
    info->evtchn_mask[0] = 2;
    info->evtchn_pending[5] = 1; // masked: not news
    info->evtchn_mask[5] = ~std::uint64_t{0};
    info->evtchn_pending[63] = 1;
    const std::uint64_t news = 0x8000'0000'0000'0001;
    const auto area = [&](std::uint32_t vcpu) {
        return static_cast<abi::VcpuInfo64 *>(
            overlay().vcpu_info(VcpuId{vcpu}).host);
    };
    area(1)->evtchn_pending_sel = 0x10;

    ASSERT_TRUE(overlay().recall_events());
    EXPECT_EQ(bed_.upcalls.called(),
              (std::vector{VcpuId{0}, VcpuId{1}, VcpuId{41}}));
    EXPECT_EQ(area(0)->evtchn_pending_sel, news);
    EXPECT_EQ(area(1)->evtchn_pending_sel, news | 0x10);
    EXPECT_EQ(area(41)->evtchn_pending_sel, news);
    for (const std::uint32_t vcpu : {0U, 1U, 41U}) {
        EXPECT_EQ(area(vcpu)->evtchn_upcall_pending, 1);
    }
    EXPECT_EQ(info->evtchn_pending[0], 6U) << "the ports are as they were";
    EXPECT_EQ(info->evtchn_mask[0], 2U);
}

TEST_P(EveryOverlay, RecallEventsIn32Bit)
{
    attach({0});
    ASSERT_TRUE(overlay().restore(Gpa{0x9000}, false));
    auto *info = reinterpret_cast<abi::SharedInfo32 *>(bed_.page);
    info->evtchn_pending[31] = 1;
    ASSERT_TRUE(overlay().recall_events());
    EXPECT_EQ(bed_.upcalls.called(), std::vector{VcpuId{0}});
    EXPECT_EQ(info->vcpu_info[0].evtchn_pending_sel, 0x8000'0000U);
}

// An upcall that was pending when the guest was saved is made again: by an
// interrupt line it is a level, which must come back.  Nobody else is called.
TEST_P(EveryOverlay, RecallAnUpcall)
{
    attach({0, 1});
    ASSERT_TRUE(overlay().restore(Gpa{0x9000}, true));
    auto *info = reinterpret_cast<abi::SharedInfo64 *>(bed_.page);
    info->vcpu_info[1].evtchn_upcall_pending = 1;
    ASSERT_TRUE(overlay().recall_events());
    EXPECT_EQ(bed_.upcalls.called(), std::vector{VcpuId{1}});
    EXPECT_EQ(info->vcpu_info[0].evtchn_upcall_pending, 0);
    EXPECT_EQ(info->vcpu_info[1].evtchn_pending_sel, 0U);
}

TEST_P(EveryOverlay, RestoreWhereNothingCanShow)
{
    EXPECT_EQ(errno_of(overlay().restore(Gpa{1ULL << 40}, true)), -ENOENT);
    EXPECT_EQ(errno_of(overlay().restore(Gpa{0xfeffa000}, true)), -EPERM);
    EXPECT_EQ(overlay().gpa(), std::nullopt);
}

TEST_P(EveryOverlay, Reset)
{
    attach({0, 1, 40, 41});
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(bed_.enroll(1, 0x3000));
    ASSERT_TRUE(bed_.enroll(41, 0x4000));
    ASSERT_TRUE(overlay().set_long_mode(false));
    std::memset(bed_.page, 0x55, sizeof(bed_.page));
    bed_.hypervisor.forget_calls();
    ASSERT_TRUE(overlay().reset());
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    EXPECT_TRUE(overlay().is_long_mode());
    EXPECT_TRUE(bed_.hypervisor.state().long_mode);
    EXPECT_EQ(overlay().vcpu_info(VcpuId{1}).source, Source::DefaultSlot);
    EXPECT_EQ(overlay().vcpu_info(VcpuId{41}), VcpuInfoPlace());
    for (const std::byte byte : bed_.page) {
        ASSERT_EQ(byte, std::byte{0});
    }
    // The mode, by which the wallclock is written, before the page.
    EXPECT_EQ(bed_.hypervisor.calls().front(), Call::set_long_mode(true));
    EXPECT_EQ(bed_.hypervisor.calls().at(1).op, Call::Op::SetSharedInfo);
}

TEST(Overlay, ResetEndsBeingBroken)
{
    OverlayBed bed(kHvaHva);
    ASSERT_TRUE(bed.overlay->start());
    ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{0}));
    bed.faults.fail_from_nth(1, -EINTR);
    EXPECT_EQ(errno_of(bed.overlay->reset()), -EINTR);
    EXPECT_TRUE(bed.overlay->broken());
    bed.faults.clear();
    EXPECT_TRUE(bed.overlay->reset());
    bed.expect_agreement();
}

// The point of the whole: a remap does not concern the hypervisor, however it
// was told.
TEST_P(EveryOverlay, HundredRemapsWithoutAHypervisorCall)
{
    for (std::uint32_t id = 0; id < 40; ++id) {
        attach({id});
    }
    bed_.hypervisor.forget_calls();
    for (std::uint64_t n = 0; n < 100; ++n) {
        ASSERT_TRUE(bed_.map(n % 7 << 12));
    }
    ASSERT_TRUE(bed_.unmap());
    Calls told = bed_.hypervisor.calls();
    if (!bed_.hypervisor.has_shared_info_hva()) {
        // An old one is asked for the mode, but not told anything either.
        std::erase_if(told, [](const Call &call) {
            return call.op == Call::Op::LongMode;
        });
    }
    EXPECT_EQ(told, Calls());
    EXPECT_EQ(bed_.space.placements(), 101U);
    EXPECT_EQ(overlay().stats().maps, 100U);
    EXPECT_EQ(overlay().stats().unmaps, 1U);
}

// As on Xen: what was there before shows nowhere, and does not come back.
TEST_P(EveryOverlay, PagesUnhookEachOther)
{
    const Page frame = fakes::FakeAddressSpace::grant_page(0);
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(overlay().place(frame, Gpa{0x1000}));
    EXPECT_EQ(overlay().gpa(), std::nullopt);
    EXPECT_EQ(bed_.space.page(frame), Gpa{0x1000});
    ASSERT_TRUE(bed_.map(0x1000));
    EXPECT_EQ(bed_.space.page(frame), std::nullopt);
    ASSERT_TRUE(bed_.map(0x2000));
    EXPECT_EQ(overlay().physmap().at(Gpa{0x1000}), std::nullopt);
}

TEST_P(EveryOverlay, PagesChangePlaces)
{
    const Page frame = fakes::FakeAddressSpace::grant_page(0);
    ASSERT_TRUE(bed_.map(0x1000));
    ASSERT_TRUE(overlay().place(frame, Gpa{0x2000}));
    Physmap wanted;
    wanted.put(kSharedInfoPage, Gpa{0x2000});
    wanted.put(frame, Gpa{0x1000});
    ASSERT_TRUE(overlay().rearrange(wanted));
    EXPECT_EQ(bed_.space.page(), Gpa{0x2000});
    EXPECT_EQ(bed_.space.page(frame), Gpa{0x1000});
}

// "Cannot tell" is not "cannot".
TEST(Overlay, VcpuThatCannotBeAsked)
{
    for (const Backends &backends : {kHvaHva, kHvaKernel, kGfnGpa}) {
        OverlayBed bed(backends);
        ASSERT_TRUE(bed.overlay->start());
        bed.faults.fail_nth(1, -EINTR);
        EXPECT_EQ(errno_of(bed.overlay->attach_vcpu(VcpuId{0})), -EINTR);
        EXPECT_EQ(bed.overlay->default_vcpu_info_backend(), std::nullopt);
        EXPECT_EQ(bed.overlay->refusal(), nullptr);
        ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{0}));
    }
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
