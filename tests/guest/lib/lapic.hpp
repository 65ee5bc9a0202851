// SPDX-License-Identifier: GPL-2.0-or-later
// The local APIC in xAPIC mode, and the IOAPIC's table.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// Switches the calling CPU's on, for interrupts of any priority.
void lapic_init();

[[nodiscard]] std::uint32_t lapic_id();
void lapic_end_of_interrupt();

void lapic_send_fixed(std::uint32_t apic_id, std::uint8_t vector);
void lapic_send_init(std::uint32_t apic_id);
void lapic_send_startup(std::uint32_t apic_id, std::uint8_t page);
void lapic_send_init_to_others();
void lapic_send_startup_to_others(std::uint8_t page);

// An interrupt after that many ticks of the bus's clock, which is 1 GHz on KVM;
// then again and again, or once. 0: none any more.
void lapic_repeat(std::uint8_t vector, std::uint32_t ticks);
void lapic_alarm(std::uint8_t vector, std::uint32_t ticks);

// Whether there is one; a PVH guest on Xen has none.
[[nodiscard]] bool ioapic_present();

// Level-triggered, to the CPU with that APIC id.
void ioapic_route(unsigned pin, std::uint8_t vector, std::uint32_t apic_id);
void ioapic_mask(unsigned pin);

} // namespace xovl::guest
