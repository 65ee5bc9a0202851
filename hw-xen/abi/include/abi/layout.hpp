// SPDX-License-Identifier: GPL-2.0-or-later
// The shared_info page and the vcpu_info area, for both guest widths.
//
// Layout from xen/include/public/xen.h and xen/include/public/arch-x86/
// {xen.h,xen-x86_32.h,xen-x86_64.h}; members keep Xen's names. `Word` is the
// guest's `unsigned long`: std::uint64_t or std::uint32_t. It is the width that
// the hypervisor last latched, and may change while the page is in use.
//
// These types describe memory that others write at any time. Reach it through
// volatile or atomic accesses, or copy it out first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "abi/types.hpp"

namespace xovl::abi
{

template <typename Word>
concept GuestWord =
    std::is_same_v<Word, std::uint32_t> || std::is_same_v<Word, std::uint64_t>;

// A 64-bit number as the guest's compiler aligns it. For 32-bit guests that is
// 4, and they may register a vcpu_info at any multiple of 4 (Xen checks the
// alignment against the latched width), so claiming 8 would be untrue.
template <GuestWord Word>
struct GuestU64;

template <>
struct GuestU64<std::uint64_t> {
    using type = std::uint64_t;
};

template <>
struct GuestU64<std::uint32_t> {
    using type [[gnu::aligned(4)]] = std::uint64_t;
};

template <GuestWord Word>
struct VcpuTimeInfo {
    std::uint32_t version; // odd while the hypervisor is writing the rest
    std::uint32_t pad0;
    typename GuestU64<Word>::type tsc_timestamp;
    typename GuestU64<Word>::type system_time;
    std::uint32_t tsc_to_system_mul;
    std::int8_t tsc_shift;
    std::uint8_t flags;
    std::uint8_t pad1[2];
};

template <GuestWord Word>
struct ArchVcpuInfo {
    Word cr2; // PV only
    Word pad[sizeof(Word) == 8 ? 1 : 5];
};

template <GuestWord Word>
struct VcpuInfo {
    std::uint8_t evtchn_upcall_pending;
    // Not looked at for HVM guests, but written: 0 when a vCPU halts with
    // interrupts on, 1 in an area registered by a vCPU that had no slot.
    std::uint8_t evtchn_upcall_mask;
    Word evtchn_pending_sel; // one bit per word of evtchn_pending
    ArchVcpuInfo<Word> arch;
    VcpuTimeInfo<Word> time;
};

template <GuestWord Word>
struct ArchSharedInfo {
    Word max_pfn;
    Word pfn_to_mfn_frame_list_list;
    Word nmi_reason;
    Word p2m_cr3;
    Word p2m_vaddr;
    Word p2m_generation;
};

// The upper half of the wallclock's seconds came late. 64-bit guests had a hole
// for it right behind wc_nsec; 32-bit guests had not, and find it here.
template <>
struct ArchSharedInfo<std::uint32_t> {
    std::uint32_t max_pfn;
    std::uint32_t pfn_to_mfn_frame_list_list;
    std::uint32_t nmi_reason;
    std::uint32_t p2m_cr3;
    std::uint32_t p2m_vaddr;
    std::uint32_t p2m_generation;
    std::uint32_t wc_sec_hi;
};

// NOLINTBEGIN(bugprone-dynamic-static-initializers): constexpr variables are
// not initialised dynamically; clang-tidy 14 thinks so if they are templates.

// 64 x 64 or 32 x 32 ports: one selector bit for each word.
template <GuestWord Word>
inline constexpr std::size_t kEvtchnWords = sizeof(Word) * 8;

template <GuestWord Word>
inline constexpr std::uint32_t kEvtchnPorts = (sizeof(Word) * 8) *
                                              (sizeof(Word) * 8);

// NOLINTEND(bugprone-dynamic-static-initializers)

template <GuestWord Word>
struct SharedInfo {
    VcpuInfo<Word> vcpu_info[kLegacyMaxVcpus];
    Word evtchn_pending[kEvtchnWords<Word>];
    Word evtchn_mask[kEvtchnWords<Word>];
    std::uint32_t wc_version; // odd while the hypervisor is writing the rest
    std::uint32_t wc_sec;
    std::uint32_t wc_nsec;
    std::uint32_t wc_sec_hi;
    ArchSharedInfo<Word> arch;
};

template <>
struct SharedInfo<std::uint32_t> {
    VcpuInfo<std::uint32_t> vcpu_info[kLegacyMaxVcpus];
    std::uint32_t evtchn_pending[kEvtchnWords<std::uint32_t>];
    std::uint32_t evtchn_mask[kEvtchnWords<std::uint32_t>];
    std::uint32_t wc_version;
    std::uint32_t wc_sec;
    std::uint32_t wc_nsec;
    ArchSharedInfo<std::uint32_t> arch;
};

using SharedInfo64 = SharedInfo<std::uint64_t>;
using SharedInfo32 = SharedInfo<std::uint32_t>;
using VcpuInfo64 = VcpuInfo<std::uint64_t>;
using VcpuInfo32 = VcpuInfo<std::uint32_t>;

// So that code written once for both widths can name the field by one name, as
// Xen's own macro xen_wc_sec_hi does.
template <GuestWord Word>
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): as above
inline constexpr std::size_t kWcSecHiOffset = offsetof(SharedInfo<Word>,
                                                       wc_sec_hi);

template <>
inline constexpr std::size_t kWcSecHiOffset<std::uint32_t> =
    offsetof(SharedInfo32, arch) +
    offsetof(ArchSharedInfo<std::uint32_t>, wc_sec_hi);

// The numbers below were compiled from Xen's headers with -m64 and -m32, not
// from the declarations above: they are the check on these.

static_assert(sizeof(VcpuTimeInfo<std::uint64_t>) == 32);
static_assert(sizeof(VcpuTimeInfo<std::uint32_t>) == 32);
static_assert(sizeof(VcpuInfo64) == kVcpuInfoSize);
static_assert(sizeof(VcpuInfo32) == kVcpuInfoSize);
static_assert(alignof(VcpuInfo64) == 8);
static_assert(alignof(VcpuInfo32) == 4);

static_assert(offsetof(VcpuInfo64, evtchn_upcall_pending) == 0x00);
static_assert(offsetof(VcpuInfo32, evtchn_upcall_pending) == 0x00);
static_assert(offsetof(VcpuInfo64, evtchn_upcall_mask) == 0x01);
static_assert(offsetof(VcpuInfo32, evtchn_upcall_mask) == 0x01);
static_assert(offsetof(VcpuInfo64, evtchn_pending_sel) == 0x08);
static_assert(offsetof(VcpuInfo32, evtchn_pending_sel) == 0x04);
static_assert(offsetof(VcpuInfo64, arch.cr2) == 0x10);
static_assert(offsetof(VcpuInfo32, arch.cr2) == 0x08);

static_assert(offsetof(VcpuInfo64, time.version) == 0x20);
static_assert(offsetof(VcpuInfo32, time.version) == 0x20);
static_assert(offsetof(VcpuInfo64, time.pad0) == 0x24);
static_assert(offsetof(VcpuInfo32, time.pad0) == 0x24);
static_assert(offsetof(VcpuInfo64, time.tsc_timestamp) == 0x28);
static_assert(offsetof(VcpuInfo32, time.tsc_timestamp) == 0x28);
static_assert(offsetof(VcpuInfo64, time.system_time) == 0x30);
static_assert(offsetof(VcpuInfo32, time.system_time) == 0x30);
static_assert(offsetof(VcpuInfo64, time.tsc_to_system_mul) == 0x38);
static_assert(offsetof(VcpuInfo32, time.tsc_to_system_mul) == 0x38);
static_assert(offsetof(VcpuInfo64, time.tsc_shift) == 0x3c);
static_assert(offsetof(VcpuInfo32, time.tsc_shift) == 0x3c);
static_assert(offsetof(VcpuInfo64, time.flags) == 0x3d);
static_assert(offsetof(VcpuInfo32, time.flags) == 0x3d);

static_assert(sizeof(SharedInfo64) == 0xc40);
static_assert(sizeof(SharedInfo32) == 0x928);
static_assert(alignof(SharedInfo64) == 8);
static_assert(alignof(SharedInfo32) == 4);

static_assert(offsetof(SharedInfo64, vcpu_info) == 0x000);
static_assert(offsetof(SharedInfo32, vcpu_info) == 0x000);
static_assert(offsetof(SharedInfo64, evtchn_pending) == 0x800);
static_assert(offsetof(SharedInfo32, evtchn_pending) == 0x800);
static_assert(kEvtchnPorts<std::uint64_t> == 4096);
static_assert(kEvtchnPorts<std::uint32_t> == 1024);
static_assert(offsetof(SharedInfo64, evtchn_mask) == 0xa00);
static_assert(offsetof(SharedInfo32, evtchn_mask) == 0x880);
static_assert(offsetof(SharedInfo64, wc_version) == 0xc00);
static_assert(offsetof(SharedInfo32, wc_version) == 0x900);
static_assert(offsetof(SharedInfo64, wc_sec) == 0xc04);
static_assert(offsetof(SharedInfo32, wc_sec) == 0x904);
static_assert(offsetof(SharedInfo64, wc_nsec) == 0xc08);
static_assert(offsetof(SharedInfo32, wc_nsec) == 0x908);
static_assert(kWcSecHiOffset<std::uint64_t> == 0xc0c);
static_assert(kWcSecHiOffset<std::uint32_t> == 0x924);
static_assert(offsetof(SharedInfo64, arch.max_pfn) == 0xc10);
static_assert(offsetof(SharedInfo32, arch.max_pfn) == 0x90c);
static_assert(offsetof(SharedInfo64, arch.pfn_to_mfn_frame_list_list) == 0xc18);
static_assert(offsetof(SharedInfo32, arch.pfn_to_mfn_frame_list_list) == 0x910);
static_assert(offsetof(SharedInfo64, arch.nmi_reason) == 0xc20);
static_assert(offsetof(SharedInfo32, arch.nmi_reason) == 0x914);
static_assert(offsetof(SharedInfo64, arch.p2m_cr3) == 0xc28);
static_assert(offsetof(SharedInfo32, arch.p2m_cr3) == 0x918);
static_assert(offsetof(SharedInfo64, arch.p2m_vaddr) == 0xc30);
static_assert(offsetof(SharedInfo32, arch.p2m_vaddr) == 0x91c);
static_assert(offsetof(SharedInfo64, arch.p2m_generation) == 0xc38);
static_assert(offsetof(SharedInfo32, arch.p2m_generation) == 0x920);

} // namespace xovl::abi
