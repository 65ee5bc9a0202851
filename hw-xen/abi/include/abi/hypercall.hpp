// SPDX-License-Identifier: GPL-2.0-or-later
// Hypercall numbers, operations and argument structures.
//
// From xen/include/public/{xen,memory,vcpu,sched,version}.h. Names are Xen's,
// so that a search finds both sides, with one exception: Xen spells hypercall
// numbers `__HYPERVISOR_memory_op`, and names with a double underscore belong
// to the C++ implementation, so here the underscores are dropped.
//
// `Word` is the guest's `unsigned long`: the structures are those that a guest
// of that width has in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xovl::abi
{

// NOLINTBEGIN(readability-identifier-naming): these are Xen's names.

inline constexpr std::uint32_t HYPERVISOR_memory_op = 12;
inline constexpr std::uint32_t HYPERVISOR_xen_version = 17;
inline constexpr std::uint32_t HYPERVISOR_vcpu_op = 24;
inline constexpr std::uint32_t HYPERVISOR_sched_op = 29;
inline constexpr std::uint32_t HYPERVISOR_event_channel_op = 32;
inline constexpr std::uint32_t HYPERVISOR_physdev_op = 33;
inline constexpr std::uint32_t HYPERVISOR_hvm_op = 34;

// The caller's own domain, wherever a domain id is asked for.
inline constexpr std::uint16_t DOMID_SELF = 0x7ff0;

// HYPERVISOR_xen_version(XENVER_version, NULL) -> major << 16 | minor
inline constexpr std::uint32_t XENVER_version = 0;

// QEMU, in the role of dom0.
inline constexpr std::uint16_t DOMID_QEMU = 0;

// HYPERVISOR_memory_op(command | extent << MEMOP_EXTENT_SHIFT, argument *):
// a call that Xen interrupted is made again with the extent it got to.
inline constexpr unsigned MEMOP_EXTENT_SHIFT = 6;
inline constexpr std::uint64_t MEMOP_CMD_MASK = (1U << MEMOP_EXTENT_SHIFT) - 1;

// HYPERVISOR_memory_op(XENMEM_add_to_physmap, xen_add_to_physmap *)
inline constexpr std::uint32_t XENMEM_add_to_physmap = 7;

inline constexpr std::uint32_t XENMAPSPACE_shared_info = 0;
inline constexpr std::uint32_t XENMAPSPACE_grant_table = 1;
inline constexpr std::uint32_t XENMAPSPACE_gmfn = 2;
inline constexpr std::uint32_t XENMAPSPACE_gmfn_range = 3;
inline constexpr std::uint32_t XENMAPSPACE_gmfn_foreign = 4;

template <typename Word>
struct xen_add_to_physmap {
    std::uint16_t domid;
    std::uint16_t size; // for other map spaces; ignored for shared_info
    std::uint32_t space;
    Word idx;
    Word gpfn;
};

static_assert(sizeof(xen_add_to_physmap<std::uint64_t>) == 24);
static_assert(sizeof(xen_add_to_physmap<std::uint32_t>) == 16);
static_assert(offsetof(xen_add_to_physmap<std::uint64_t>, gpfn) == 16);
static_assert(offsetof(xen_add_to_physmap<std::uint32_t>, gpfn) == 12);

// HYPERVISOR_memory_op(XENMEM_remove_from_physmap, xen_remove_from_physmap *)
inline constexpr std::uint32_t XENMEM_remove_from_physmap = 15;

template <typename Word>
struct xen_remove_from_physmap {
    std::uint16_t domid;
    Word gpfn;
};

static_assert(sizeof(xen_remove_from_physmap<std::uint64_t>) == 16);
static_assert(sizeof(xen_remove_from_physmap<std::uint32_t>) == 8);

// HYPERVISOR_memory_op(XENMEM_add_to_physmap_batch,
//                      xen_add_to_physmap_batch *)
inline constexpr std::uint32_t XENMEM_add_to_physmap_batch = 23;

// The three last are guest addresses of arrays of `size` elements.
template <typename Word>
struct xen_add_to_physmap_batch {
    std::uint16_t domid;
    std::uint16_t space;
    std::uint16_t size;
    std::uint16_t extra; // for other map spaces
    Word idxs;           // of Word
    Word gpfns;          // of Word
    Word errs;           // of std::int32_t
};

static_assert(sizeof(xen_add_to_physmap_batch<std::uint64_t>) == 32);
static_assert(sizeof(xen_add_to_physmap_batch<std::uint32_t>) == 20);
static_assert(offsetof(xen_add_to_physmap_batch<std::uint64_t>, errs) == 24);
static_assert(offsetof(xen_add_to_physmap_batch<std::uint32_t>, errs) == 16);

// HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, vcpu,
//                    vcpu_register_vcpu_info *)
inline constexpr std::uint32_t VCPUOP_register_vcpu_info = 10;

// The same for both widths: all members have a fixed size. `mfn` is a gfn for
// an HVM guest.
struct vcpu_register_vcpu_info {
    std::uint64_t mfn;
    std::uint32_t offset;
    std::uint32_t rsvd;
};

static_assert(sizeof(vcpu_register_vcpu_info) == 16);
static_assert(offsetof(vcpu_register_vcpu_info, offset) == 8);

// HYPERVISOR_vcpu_op(VCPUOP_register_..._memory_area, vcpu, ... *): two more
// areas that the hypervisor writes, given by their virtual address.
inline constexpr std::uint32_t VCPUOP_register_runstate_memory_area = 5;
inline constexpr std::uint32_t VCPUOP_register_vcpu_time_memory_area = 13;

template <typename Word>
struct vcpu_register_memory_area {
    union {
        Word v;
        std::uint64_t p;
    } addr;
};

// HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, vcpu,
//                    vcpu_set_periodic_timer *)
inline constexpr std::uint32_t VCPUOP_set_periodic_timer = 6;

// Sends VIRQ_TIMER, again and again.
struct vcpu_set_periodic_timer {
    std::uint64_t period_ns;
};

// HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, vcpu,
//                    vcpu_set_singleshot_timer *)
inline constexpr std::uint32_t VCPUOP_set_singleshot_timer = 8;

// Sends VIRQ_TIMER. Both widths: a 32-bit guest's is four bytes shorter, which
// are padding.
struct vcpu_set_singleshot_timer {
    std::uint64_t timeout_abs_ns; // of the vCPU's system time
    std::uint32_t flags;
};

static_assert(offsetof(vcpu_set_singleshot_timer, flags) == 8);

// HYPERVISOR_sched_op(SCHEDOP_shutdown, sched_shutdown *)
inline constexpr std::uint32_t SCHEDOP_shutdown = 2;

inline constexpr std::uint32_t SHUTDOWN_poweroff = 0;
inline constexpr std::uint32_t SHUTDOWN_reboot = 1;
inline constexpr std::uint32_t SHUTDOWN_suspend = 2;
inline constexpr std::uint32_t SHUTDOWN_crash = 3;
inline constexpr std::uint32_t SHUTDOWN_watchdog = 4;
inline constexpr std::uint32_t SHUTDOWN_soft_reset = 5;

struct sched_shutdown {
    std::uint32_t reason;
};

static_assert(sizeof(sched_shutdown) == 4);

// HYPERVISOR_sched_op(SCHEDOP_poll, sched_poll *)
inline constexpr std::uint32_t SCHEDOP_poll = 3;

template <typename Word>
struct sched_poll {
    Word ports; // address of as many port numbers as
    std::uint32_t nr_ports;
    std::uint64_t timeout; // ns of the guest's clock; 0: none
};

static_assert(sizeof(sched_poll<std::uint64_t>) == 24);

// HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, physdev_map_pirq *)
inline constexpr std::uint32_t PHYSDEVOP_map_pirq = 13;

inline constexpr std::int32_t MAP_PIRQ_TYPE_GSI = 1;

// Both widths: 32-bit guests have no padding before table_base, which is for
// other types.
struct physdev_map_pirq {
    std::uint16_t domid;
    std::int32_t type;
    std::int32_t index; // the GSI
    std::int32_t pirq;  // -1: any, and here it is
    std::int32_t bus, devfn, entry_nr;
    std::uint64_t table_base;
};

// NOLINTEND(readability-identifier-naming)

} // namespace xovl::abi
