// SPDX-License-Identifier: GPL-2.0-or-later
// Interrupts go to whom they are meant for; CPU exceptions end a guest with a
// readable error, not with a triple fault.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// Called with the interrupt's vector, interrupts off.
//
// They are off after it, too: an interrupt is let in once, by halt_once() or
// let_interrupts_in(), and not again until somebody asks for the next. So a
// level that nobody can take down is one interrupt at a time, and not a guest
// that gets nowhere.
using InterruptHandler = void (*)(unsigned vector);

void set_interrupt_handler(unsigned vector, InterruptHandler handler);

// IDT, PIC masked; and the calling CPU's part, with its number.
void interrupts_init();
void interrupts_init_cpu(unsigned cpu);

// The number that interrupts_init_cpu() was given here.
[[nodiscard]] unsigned cpu_number();

} // namespace xovl::guest
