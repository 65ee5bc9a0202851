// SPDX-License-Identifier: GPL-2.0-or-later
// HVM operations: how event upcalls reach the guest.
//
// From xen/include/public/hvm/{hvm_op,params}.h. Names are Xen's, as in
// hypercall.hpp. The same for both widths: all members have a fixed size.
#pragma once

#include <cstdint>

namespace xovl::abi
{

// NOLINTBEGIN(readability-identifier-naming): these are Xen's names.

// HYPERVISOR_hvm_op(HVMOP_{set,get}_param, xen_hvm_param *)
inline constexpr std::uint32_t HVMOP_set_param = 0;
inline constexpr std::uint32_t HVMOP_get_param = 1;

inline constexpr std::uint32_t HVM_PARAM_CALLBACK_IRQ = 0;
// Frames of the rings of XenStore and of the console, and XenStore's event.
inline constexpr std::uint32_t HVM_PARAM_STORE_PFN = 1;
inline constexpr std::uint32_t HVM_PARAM_STORE_EVTCHN = 2;
inline constexpr std::uint32_t HVM_PARAM_CONSOLE_PFN = 17;

// The top byte of HVM_PARAM_CALLBACK_IRQ's value.
inline constexpr unsigned HVM_PARAM_CALLBACK_TYPE_SHIFT = 56;
inline constexpr std::uint64_t HVM_PARAM_CALLBACK_TYPE_GSI = 0;
inline constexpr std::uint64_t HVM_PARAM_CALLBACK_TYPE_PCI_INTX = 1;
inline constexpr std::uint64_t HVM_PARAM_CALLBACK_TYPE_VECTOR = 2;

struct xen_hvm_param {
    std::uint16_t domid;
    std::uint16_t pad;
    std::uint32_t index;
    std::uint64_t value;
};

static_assert(sizeof(xen_hvm_param) == 16);

// HYPERVISOR_hvm_op(HVMOP_set_evtchn_upcall_vector,
//                   xen_hvm_evtchn_upcall_vector *)
inline constexpr std::uint32_t HVMOP_set_evtchn_upcall_vector = 23;

struct xen_hvm_evtchn_upcall_vector {
    std::uint32_t vcpu;
    std::uint8_t vector;
};

static_assert(sizeof(xen_hvm_evtchn_upcall_vector) == 8);

// NOLINTEND(readability-identifier-naming)

} // namespace xovl::abi
