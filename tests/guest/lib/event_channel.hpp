// SPDX-License-Identifier: GPL-2.0-or-later
// Event channel operations, each with Xen's answer: 0 or a negative errno.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// A new port that `vcpu` hears, or a negative errno.
[[nodiscard]] std::intptr_t bind_ipi(std::uint32_t vcpu);

// A new port that `vcpu` hears the abi::VIRQ_... on, or a negative errno.
[[nodiscard]] std::intptr_t bind_virq(std::uint32_t virq, std::uint32_t vcpu);

// A new port that the domain `remote` may bind to, or a negative errno.
[[nodiscard]] std::intptr_t alloc_unbound(std::uint16_t remote);

std::intptr_t close_port(std::uint32_t port);
std::intptr_t send(std::uint32_t port);
std::intptr_t unmask(std::uint32_t port);

// The vector of a vCPU's local APIC that calls it, instead of the callback that
// is the domain's.
std::intptr_t set_upcall_vector(std::uint32_t vcpu, std::uint8_t vector);

// Waits until the port has an event or something else happens; not to be
// called with interrupts on.
std::intptr_t poll(std::uint32_t port);

// abi::EVTCHNSTAT_..., or a negative errno.
[[nodiscard]] std::intptr_t port_status(std::uint32_t port);

} // namespace xovl::guest
