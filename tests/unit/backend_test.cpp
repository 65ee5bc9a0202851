// SPDX-License-Identifier: GPL-2.0-or-later
// Every kernel with every request: the tables of docs/kvm-generations.md.
#include "core/backend.hpp"

#include <cerrno>
#include <gtest/gtest.h>
#include <ostream>

#include "fakes/fake_hypervisor.hpp"

namespace xovl::core
{
namespace
{

using Shared = SharedInfoBackend;
using Default = DefaultVcpuInfoBackend;
using Ability = fakes::FakeHypervisor::Ability;

// In the order of {shared_info_hva, vcpu_info_hva}.
constexpr Ability kGfn = {false, false};
constexpr Ability kHva = {true, true};
constexpr Ability kKernel = {true, false};
// No kernel is like this, but one that was patched could be.
constexpr Ability kOdd = {false, true};

constexpr auto kAuto = std::nullopt;
constexpr auto kRefused = std::nullopt;

struct SharedCase {
    Ability ability;
    std::optional<Shared> requested;
    std::optional<Shared> expected; // nullopt: -ENOTSUP
};

constexpr SharedCase kSharedCases[] = {
    {kGfn, kAuto, Shared::Gfn},          {kGfn, Shared::Gfn, Shared::Gfn},
    {kGfn, Shared::Hva, kRefused},       {kHva, kAuto, Shared::Hva},
    {kHva, Shared::Gfn, Shared::Gfn},    {kHva, Shared::Hva, Shared::Hva},
    {kKernel, kAuto, Shared::Hva},       {kKernel, Shared::Gfn, Shared::Gfn},
    {kKernel, Shared::Hva, Shared::Hva}, {kOdd, kAuto, Shared::Gfn},
    {kOdd, Shared::Gfn, Shared::Gfn},    {kOdd, Shared::Hva, kRefused},
};

TEST(Backend, SharedInfo)
{
    for (const SharedCase &c : kSharedCases) {
        SCOPED_TRACE(&c - kSharedCases);
        fakes::Faults faults;
        fakes::FakeHypervisor hypervisor(faults, c.ability);
        const auto chosen = choose_shared_info(hypervisor, c.requested);
        ASSERT_EQ(chosen.has_value(), c.expected.has_value());
        if (chosen) {
            EXPECT_EQ(*chosen, *c.expected);
        } else {
            EXPECT_EQ(chosen.error(), Error(-ENOTSUP));
        }
        EXPECT_TRUE(hypervisor.calls().empty());
    }
}

struct DefaultCase {
    Ability ability;
    Shared shared_info;
    std::optional<Default> requested;
    std::optional<Default> expected; // nullopt: -ENOTSUP
};

constexpr DefaultCase kDefaultCases[] = {
    {kGfn, Shared::Gfn, kAuto, Default::Gpa},
    {kGfn, Shared::Gfn, Default::Gpa, Default::Gpa},
    {kGfn, Shared::Gfn, Default::Hva, kRefused},
    {kGfn, Shared::Gfn, Default::Kernel, kRefused},
    {kHva, Shared::Hva, kAuto, Default::Hva},
    {kHva, Shared::Hva, Default::Gpa, Default::Gpa},
    {kHva, Shared::Hva, Default::Hva, Default::Hva},
    {kHva, Shared::Hva, Default::Kernel, kRefused},
    {kHva, Shared::Gfn, kAuto, Default::Gpa},
    {kHva, Shared::Gfn, Default::Gpa, Default::Gpa},
    {kHva, Shared::Gfn, Default::Hva, Default::Hva},
    {kHva, Shared::Gfn, Default::Kernel, kRefused},
    {kKernel, Shared::Hva, kAuto, Default::Kernel},
    {kKernel, Shared::Hva, Default::Gpa, Default::Gpa},
    {kKernel, Shared::Hva, Default::Hva, kRefused},
    {kKernel, Shared::Hva, Default::Kernel, Default::Kernel},
    {kKernel, Shared::Gfn, kAuto, Default::Gpa},
    {kKernel, Shared::Gfn, Default::Gpa, Default::Gpa},
    {kKernel, Shared::Gfn, Default::Hva, kRefused},
    {kKernel, Shared::Gfn, Default::Kernel, Default::Kernel},
    {kOdd, Shared::Gfn, kAuto, Default::Gpa},
    {kOdd, Shared::Gfn, Default::Gpa, Default::Gpa},
    {kOdd, Shared::Gfn, Default::Hva, Default::Hva},
    {kOdd, Shared::Gfn, Default::Kernel, kRefused},
};

TEST(Backend, DefaultVcpuInfo)
{
    for (const DefaultCase &c : kDefaultCases) {
        SCOPED_TRACE(&c - kDefaultCases);
        fakes::Faults faults;
        fakes::FakeHypervisor hypervisor(faults, c.ability);
        const auto chosen = choose_default_vcpu_info(
            hypervisor, c.ability.vcpu_info_hva, c.shared_info, c.requested);
        ASSERT_EQ(chosen.has_value(), c.expected.has_value());
        if (chosen) {
            EXPECT_EQ(*chosen, *c.expected);
        } else {
            EXPECT_EQ(chosen.error(), Error(-ENOTSUP));
        }
        EXPECT_TRUE(hypervisor.calls().empty());
    }
}

} // namespace
} // namespace xovl::core
