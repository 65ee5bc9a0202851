// SPDX-License-Identifier: GPL-2.0-or-later
// OverlayBed: an Overlay on fakes, with what its tests have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "abi/types.hpp"
#include "core/overlay.hpp"
#include "fakes/fake_address_space.hpp"
#include "fakes/fake_hypervisor.hpp"
#include "fakes/fake_upcalls.hpp"

namespace xovl::core
{

// A kernel and a request, and so a pair of backends.
struct Backends {
    const char *name;
    fakes::FakeHypervisor::Ability ability;
    BackendRequest request;
    SharedInfoBackend shared_info;
    DefaultVcpuInfoBackend default_vcpu_info;
};

using Shared = SharedInfoBackend;
using Default = DefaultVcpuInfoBackend;

inline constexpr Backends kHvaHva = {
    "HvaHva", {true, true}, {}, Shared::Hva, Default::Hva};
inline constexpr Backends kHvaKernel = {
    "HvaKernel", {true, false}, {}, Shared::Hva, Default::Kernel};
inline constexpr Backends kGfnGpa = {
    "GfnGpa", {false, false}, {}, Shared::Gfn, Default::Gpa};
inline constexpr Backends kHvaGpa = {"HvaGpa",
                                     {true, true},
                                     {std::nullopt, Default::Gpa},
                                     Shared::Hva,
                                     Default::Gpa};
inline constexpr Backends kGfnHva = {"GfnHva",
                                     {true, true},
                                     {Shared::Gfn, Default::Hva},
                                     Shared::Gfn,
                                     Default::Hva};

// GoogleTest would print the bytes, pointers among them, as the parameter in
// a test's name.
inline std::ostream &operator<<(std::ostream &out, const Backends &backends)
{
    return out << backends.name;
}

inline std::string name_of(const testing::TestParamInfo<Backends> &info)
{
    return info.param.name;
}

// All that the overlay says of itself.
struct View {
    std::optional<abi::Gpa> gpa;
    Shared shared_info;
    std::optional<Default> default_vcpu_info;
    bool long_mode;
    std::vector<VcpuInfoPlace> places;
};

inline bool operator==(const VcpuInfoPlace &a, const VcpuInfoPlace &b)
{
    return a.source == b.source && a.gpa == b.gpa && a.host == b.host;
}

inline bool operator==(const View &a, const View &b)
{
    return a.gpa == b.gpa && a.shared_info == b.shared_info &&
           a.default_vcpu_info == b.default_vcpu_info &&
           a.long_mode == b.long_mode && a.places == b.places;
}

class OverlayBed
{
public:
    static constexpr std::size_t kRamSize = 0x100000;

    explicit OverlayBed(const Backends &chosen, XenVersion version = {0x40011})
        : backends(chosen), hypervisor(faults, chosen.ability),
          space(faults, kRamSize),
          overlay(std::make_unique<Overlay>(
              hypervisor, space, upcalls, page,
              Machine{chosen.request,
                      {40, {{abi::Gfn{0xfeffa}, abi::Gfn{0xfeffb}}}},
                      version}))
    {
    }

    // The guest maps shared_info.
    Status map(std::uint64_t gpa)
    {
        return overlay->place(kSharedInfoPage, abi::Gpa{gpa});
    }
    Status unmap() { return overlay->place(kSharedInfoPage, std::nullopt); }
    // A vCPU registers its vcpu_info, of itself.
    Status enroll(std::uint32_t vcpu, std::uint64_t gpa)
    {
        return overlay->register_vcpu_info(
            abi::VcpuId{vcpu}, abi::VcpuId{vcpu}, abi::Gfn{gpa >> 12},
            static_cast<std::uint32_t>(gpa & 0xfff));
    }

    [[nodiscard]] void *slot(std::size_t vcpu) { return page + vcpu * 64; }

    [[nodiscard]] View view() const
    {
        View view{overlay->gpa(),
                  overlay->shared_info_backend(),
                  overlay->default_vcpu_info_backend(),
                  overlay->is_long_mode(),
                  {}};
        for (std::uint32_t id = 0; id < 64; ++id) {
            view.places.push_back(overlay->vcpu_info(abi::VcpuId{id}));
        }
        return view;
    }

    // What the hypervisor must hold for a vCPU, given what the overlay says.
    // This is the contract of ports.hpp, written a second time.
    [[nodiscard]] fakes::Setting expected_setting(abi::VcpuId vcpu) const
    {
        using fakes::Setting;
        const VcpuInfoPlace place = overlay->vcpu_info(vcpu);
        switch (place.source) {
        case VcpuInfoPlace::Source::None: {
            // What it is told of a vCPU without a slot nobody else sees.
            const Setting held = hypervisor.vcpu_info(vcpu);
            return held.kind == Setting::Kind::Host &&
                           backends.ability.vcpu_info_hva
                       ? held
                       : Setting::none();
        }
        case VcpuInfoPlace::Source::Registered:
            return Setting::guest(place.gpa->value);
        case VcpuInfoPlace::Source::DefaultSlot:
            break;
        }
        switch (backends.default_vcpu_info) {
        case Default::Kernel:
            return Setting::none();
        case Default::Hva:
            return Setting::host(place.host);
        case Default::Gpa:
            return Setting::guest(fakes::FakeAddressSpace::kWindow.value +
                                  std::uint64_t{vcpu.value} * 64);
        }
        return Setting::none();
    }

    // Overlay, hypervisor and address space tell the same story.
    void expect_agreement() const
    {
        using fakes::Setting;
        EXPECT_EQ(space.state().pages, overlay->physmap().places());
        EXPECT_EQ(space.overlaps(), 0U);
        Setting shared_info = Setting::host(page);
        if (backends.shared_info == Shared::Gfn) {
            shared_info =
                Setting::guest(fakes::FakeAddressSpace::kWindow.value >> 12);
        }
        EXPECT_EQ(hypervisor.state().shared_info, shared_info);
        std::size_t registered = 0;
        for (std::uint32_t id = 0; id < 64; ++id) {
            const abi::VcpuId vcpu{id};
            EXPECT_EQ(hypervisor.vcpu_info(vcpu), expected_setting(vcpu))
                << "vcpu " << id;
            registered += overlay->vcpu_info(vcpu).source ==
                                  VcpuInfoPlace::Source::Registered
                              ? 1
                              : 0;
        }
        EXPECT_EQ(space.pins(), registered);
        EXPECT_FALSE(overlay->broken());
    }

    alignas(abi::kPageSize) std::byte page[abi::kPageSize] = {};
    const Backends backends;
    fakes::Faults faults;
    fakes::FakeHypervisor hypervisor;
    fakes::FakeAddressSpace space;
    fakes::FakeUpcalls upcalls;
    std::unique_ptr<Overlay> overlay;
};

} // namespace xovl::core
