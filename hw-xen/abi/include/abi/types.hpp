// SPDX-License-Identifier: GPL-2.0-or-later
// Frame numbers, addresses and ids of a Xen guest, as types of their own.
//
// A gfn is 12 bits away from a gpa and both are 64-bit numbers, so as plain
// integers they pass for each other at every call. Here they do not convert,
// and the two conversions there are say what can go wrong with them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace xovl::abi
{

inline constexpr unsigned kPageShift = 12;
inline constexpr std::size_t kPageSize = std::size_t{1} << kPageShift;

// NOLINTBEGIN(modernize-use-nullptr): a comparison `a < b` becomes
// `(a <=> b) < 0`, and clang-tidy 14 takes that 0 for a pointer.

// A guest frame number: any 64-bit value, since a guest may pass any.
struct Gfn {
    std::uint64_t value;
    friend constexpr auto operator<=>(const Gfn &, const Gfn &) = default;
};

// A guest physical address. "No address" is an empty std::optional<Gpa>: both
// 0 and ~0 are numbers that a guest can name.
struct Gpa {
    std::uint64_t value;
    friend constexpr auto operator<=>(const Gpa &, const Gpa &) = default;
};

// Xen's number of a vCPU, which is not its APIC id.
struct VcpuId {
    std::uint32_t value;
    friend constexpr auto operator<=>(const VcpuId &, const VcpuId &) = default;
};

struct EvtchnPort {
    std::uint32_t value;
    friend constexpr auto operator<=>(const EvtchnPort &,
                                      const EvtchnPort &) = default;
};

// NOLINTEND(modernize-use-nullptr)

[[nodiscard]] constexpr Gfn frame_of(Gpa gpa)
{
    return Gfn{gpa.value >> kPageShift};
}

// Shifting a frame number of 2^52 or more drops its top bits and names another
// page, one the guest never asked for; hence no value for those.
[[nodiscard]] constexpr std::optional<Gpa> address_of(Gfn gfn)
{
    const Gpa gpa{gfn.value << kPageShift};
    if (frame_of(gpa) != gfn) {
        return std::nullopt;
    }
    return gpa;
}

[[nodiscard]] constexpr std::uint64_t offset_in_page(Gpa gpa)
{
    return gpa.value & (kPageSize - 1);
}

// XEN_LEGACY_MAX_VCPUS of xen/include/public/xen.h: how many vcpu_info slots
// the shared_info page has. A guest may have more vCPUs than that.
inline constexpr std::uint32_t kLegacyMaxVcpus = 32;

// sizeof(struct vcpu_info), the same for both guest widths.
inline constexpr std::size_t kVcpuInfoSize = 64;

// Where in the shared_info page a vCPU's default vcpu_info lies. It does not
// depend on the guest's width: vcpu_info[] is the first member in both, and
// its elements are equally large. A vCPU beyond the last slot has none.
[[nodiscard]] constexpr std::optional<std::uint64_t>
default_slot_offset(VcpuId id)
{
    if (id.value >= kLegacyMaxVcpus) {
        return std::nullopt;
    }
    return std::uint64_t{id.value} * kVcpuInfoSize;
}

} // namespace xovl::abi
