// SPDX-License-Identifier: GPL-2.0-or-later
// The promise of overlay.hpp: an operation that answers an error has changed
// nothing, or the overlay is broken() and answers -EIO from then on.
//
// Kept by trying: every operation, with every pair of backends, with every
// one of its calls to a port failing; with that and all later ones failing, so
// that taking back fails too; and with any two of them failing. Each in the
// two ways of KVM, which are -EFAULT (the new setting took the old one's place
// before it failed) and all others (nothing was touched).
#include <cerrno>
#include <functional>
#include <gtest/gtest.h>
#include <ostream>
#include <string>
#include <tuple>

#include "core/overlay.hpp"
#include "overlay_bed.hpp"

namespace xovl::core
{
namespace
{

using abi::Gpa;
using abi::VcpuId;

struct Operation {
    const char *name;
    // What comes before, without failures.
    std::function<void(OverlayBed &)> prepare;
    std::function<Status(OverlayBed &)> run;
};

std::ostream &operator<<(std::ostream &out, const Operation &operation)
{
    return out << operation.name;
}

void started(OverlayBed &bed)
{
    ASSERT_TRUE(bed.overlay->start());
}

// One of each: in their slots, registered, beyond the last slot.
void attached(OverlayBed &bed)
{
    started(bed);
    for (const std::uint32_t id : {0U, 1U, 2U, 3U, 40U, 41U}) {
        ASSERT_TRUE(bed.overlay->attach_vcpu(VcpuId{id}));
    }
    ASSERT_TRUE(bed.enroll(1, 0x8000));
    ASSERT_TRUE(bed.enroll(41, 0x8040));
}

void mapped(OverlayBed &bed)
{
    attached(bed);
    ASSERT_TRUE(bed.map(0x1000));
}

Page grant(std::uint64_t index)
{
    return fakes::FakeAddressSpace::grant_page(index);
}

void with_grants(OverlayBed &bed)
{
    mapped(bed);
    ASSERT_TRUE(bed.overlay->place(grant(0), Gpa{0x3000}));
    ASSERT_TRUE(bed.overlay->place(grant(1), Gpa{0x4000}));
}

// The guest changed the mode by itself, and nobody asked yet.
void latched(OverlayBed &bed)
{
    mapped(bed);
    bed.hypervisor.latch_long_mode(true);
}

const Operation kOperations[] = {
    {"start", [](OverlayBed &) {},
     [](OverlayBed &bed) { return bed.overlay->start(); }},
    {"attach_first", started,
     [](OverlayBed &bed) { return bed.overlay->attach_vcpu(VcpuId{0}); }},
    {"attach_unmapped", attached,
     [](OverlayBed &bed) { return bed.overlay->attach_vcpu(VcpuId{9}); }},
    {"attach_mapped", mapped,
     [](OverlayBed &bed) { return bed.overlay->attach_vcpu(VcpuId{9}); }},
    {"attach_without_slot", mapped,
     [](OverlayBed &bed) { return bed.overlay->attach_vcpu(VcpuId{50}); }},
    {"detach_unmapped", attached,
     [](OverlayBed &bed) { return bed.overlay->detach_vcpu(VcpuId{0}); }},
    {"detach_mapped", mapped,
     [](OverlayBed &bed) { return bed.overlay->detach_vcpu(VcpuId{0}); }},
    {"detach_registered", mapped,
     [](OverlayBed &bed) { return bed.overlay->detach_vcpu(VcpuId{1}); }},
    {"detach_without_slot", mapped,
     [](OverlayBed &bed) { return bed.overlay->detach_vcpu(VcpuId{40}); }},
    {"map_first", attached, [](OverlayBed &bed) { return bed.map(0x5000); }},
    {"remap", mapped, [](OverlayBed &bed) { return bed.map(0x5000); }},
    {"remap_same", mapped, [](OverlayBed &bed) { return bed.map(0x1000); }},
    {"unmap", mapped, [](OverlayBed &bed) { return bed.unmap(); }},
    {"register_unmapped", attached,
     [](OverlayBed &bed) { return bed.enroll(0, 0x6000); }},
    {"register_mapped", mapped,
     [](OverlayBed &bed) { return bed.enroll(0, 0x6000); }},
    {"register_without_slot", mapped,
     [](OverlayBed &bed) { return bed.enroll(40, 0x6000); }},
    {"register_for_another", mapped,
     [](OverlayBed &bed) {
         return bed.overlay->register_vcpu_info(VcpuId{0}, VcpuId{2},
                                                abi::Gfn{6}, 0x40);
     }},
    {"swap_pages", with_grants,
     [](OverlayBed &bed) {
         Physmap wanted;
         wanted.put(kSharedInfoPage, Gpa{0x3000});
         wanted.put(grant(0), Gpa{0x1000});
         wanted.put(grant(2), Gpa{0x9000});
         return bed.overlay->rearrange(wanted);
     }},
    {"restore_vcpu", mapped,
     [](OverlayBed &bed) {
         return bed.overlay->restore_vcpu(VcpuId{1}, Gpa{0x6000});
     }},
    {"reset_vcpu_unmapped", attached,
     [](OverlayBed &bed) { return bed.overlay->reset_vcpu(VcpuId{1}); }},
    {"reset_vcpu_mapped", mapped,
     [](OverlayBed &bed) { return bed.overlay->reset_vcpu(VcpuId{1}); }},
    {"reset_vcpu_without_slot", mapped,
     [](OverlayBed &bed) { return bed.overlay->reset_vcpu(VcpuId{41}); }},
    {"restore_first", attached,
     [](OverlayBed &bed) { return bed.overlay->restore(Gpa{0x5000}, true); }},
    {"restore_over", mapped,
     [](OverlayBed &bed) { return bed.overlay->restore(Gpa{0x5000}, true); }},
    {"restore_over_latched", latched,
     [](OverlayBed &bed) { return bed.overlay->restore(Gpa{0x5000}, false); }},
    {"restore_to_none", latched,
     [](OverlayBed &bed) { return bed.overlay->restore({}, false); }},
    {"set_long_mode", mapped,
     [](OverlayBed &bed) { return bed.overlay->set_long_mode(true); }},
    {"set_long_mode_latched", latched,
     [](OverlayBed &bed) { return bed.overlay->set_long_mode(false); }},
    {"sync_long_mode", latched,
     [](OverlayBed &bed) { return bed.overlay->sync_long_mode(); }},
    {"refresh_wallclock", mapped,
     [](OverlayBed &bed) { return bed.overlay->refresh_wallclock(); }},
    {"refresh_wallclock_latched", latched,
     [](OverlayBed &bed) { return bed.overlay->refresh_wallclock(); }},
};

// Also those that a healthy overlay would refuse, or that have nothing to do.
void expect_broken(OverlayBed &bed)
{
    bed.faults.clear();
    Overlay &overlay = *bed.overlay;
    const Status answers[] = {
        overlay.start(),
        overlay.attach_vcpu(VcpuId{0}),
        overlay.attach_vcpu(VcpuId{60}),
        overlay.detach_vcpu(VcpuId{0}),
        overlay.detach_vcpu(VcpuId{61}),
        bed.map(0x5000),
        bed.map(1),
        bed.unmap(),
        overlay.rearrange({}),
        bed.enroll(0, 0x6000),
        bed.enroll(0, ~std::uint64_t{0}),
        bed.enroll(61, 0x6000),
        overlay.restore_vcpu(VcpuId{0}, Gpa{0x6000}),
        overlay.restore_vcpu(VcpuId{61}, Gpa{1}),
        overlay.reset_vcpu(VcpuId{0}),
        overlay.reset_vcpu(VcpuId{1}),
        overlay.reset_vcpu(VcpuId{61}),
        overlay.restore(Gpa{0x5000}, true),
        overlay.restore(Gpa{1}, true),
        overlay.set_long_mode(true),
        overlay.sync_long_mode(),
        overlay.refresh_wallclock(),
        overlay.recall_events(),
    };
    for (const Status &answer : answers) {
        SCOPED_TRACE("operation " + std::to_string(&answer - answers));
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error(), Error(-EIO));
    }
    EXPECT_EQ(bed.faults.calls(), 0U) << "a broken overlay asked a port";
}

class OverlayFailure
    : public testing::TestWithParam<std::tuple<Backends, Operation>>
{
protected:
    // Runs the operation with what `arm` makes fail, and checks the promise.
    // How many calls failed.
    template <typename Arm>
    unsigned attempt(const Arm &arm)
    {
        const auto &[backends, operation] = GetParam();
        OverlayBed bed(backends);
        operation.prepare(bed);
        const auto hypervisor = bed.hypervisor.state();
        const auto space = bed.space.state();
        const View view = bed.view();

        arm(bed.faults);
        const Status done = operation.run(bed);
        const unsigned strikes = bed.faults.strikes();
        if (!done) {
            EXPECT_EQ(done.error().value(), bed.faults.error());
        }
        bed.faults.clear();
        EXPECT_EQ(done.has_value(), strikes == 0) << "what was reported";
        if (bed.overlay->broken()) {
            ++broken_;
            expect_broken(bed);
        } else if (strikes > 0) {
            EXPECT_EQ(bed.hypervisor.state(), hypervisor);
            EXPECT_EQ(bed.space.state(), space);
            EXPECT_TRUE(bed.view() == view) << "the overlay's own view";
            // As if nothing had been: it works when tried again.
            EXPECT_TRUE(operation.run(bed));
        }
        return strikes;
    }

    unsigned broken_ = 0;
};

TEST_P(OverlayFailure, OneCall)
{
    for (const int error : {-EFAULT, -EINVAL, -ENOMEM}) {
        for (unsigned n = 1;; ++n) {
            SCOPED_TRACE(testing::Message() << "call " << n << ": " << error);
            if (attempt([=](fakes::Faults &faults) {
                    faults.fail_nth(n, error);
                }) == 0) {
                break;
            }
        }
    }
    // A single failure can always be taken back.
    EXPECT_EQ(broken_, 0U);
}

TEST_P(OverlayFailure, AllCallsFromOneOn)
{
    for (const int error : {-EFAULT, -EINVAL}) {
        for (unsigned n = 1;; ++n) {
            SCOPED_TRACE(testing::Message() << "from " << n << ": " << error);
            if (attempt([=](fakes::Faults &faults) {
                    faults.fail_from_nth(n, error);
                }) == 0) {
                break;
            }
        }
    }
}

TEST_P(OverlayFailure, AnyTwoCalls)
{
    for (const int error : {-EFAULT, -EINVAL}) {
        unsigned strikes = 0;
        for (unsigned n = 1; n == 1 || strikes > 0; ++n) {
            for (unsigned m = n + 1;; ++m) {
                SCOPED_TRACE(testing::Message()
                             << "calls " << n << " and " << m << ": " << error);
                strikes = attempt([=](fakes::Faults &faults) {
                    faults.fail({n, m}, error);
                });
                // There are not so many calls, with or without undoing.
                if (strikes < 2) {
                    break;
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, OverlayFailure,
                         testing::Combine(testing::Values(kHvaHva, kHvaKernel,
                                                          kGfnGpa, kHvaGpa,
                                                          kGfnHva),
                                          testing::ValuesIn(kOperations)),
                         [](const auto &test) {
                             return std::string(std::get<0>(test.param).name) +
                                    "_" + std::get<1>(test.param).name;
                         });

// That the loops above loop: a registration has this many calls.
TEST(OverlayFailureLoop, CountsThePortCalls)
{
    OverlayBed bed(kHvaHva);
    mapped(bed);
    bed.faults.clear();
    ASSERT_TRUE(bed.enroll(0, 0x6000));
    // The mode asked, the place pinned, and told.
    EXPECT_EQ(bed.faults.calls(), 1U + 1 + 1);
}

} // namespace
} // namespace xovl::core
