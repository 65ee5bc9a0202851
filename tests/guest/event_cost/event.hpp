// SPDX-License-Identifier: GPL-2.0-or-later
// The kinds of event that are measured, from the sender to the handler.
#pragma once

#include <cstdint>

#include "xen.hpp"

namespace xovl::guest
{

// What one took, in ticks of the TSC; of VIRQ_TIMER, how late it was, in ns.
struct Outcome {
    bool lost; // not heard in time
    std::uint64_t cost;
    bool in_a_move; // shared_info was being moved when it was sent, or heard
};

struct Event {
    char letter;
    const char *name;
    bool (*possible)();
    Outcome (*send)();
};

// Binds the ports, and has vCPUs 0 and 1 called for them. After page_init() and
// smp_init().
void events_init();

// The one of that letter; nullptr if there is none.
[[nodiscard]] const Event *event(char letter);

// Halts for 1 to 4 ms that have nothing to do with anything.
void pause_at_random();

// Interrupts vCPUs in a halt, for whoever sets an alarm.
inline constexpr std::uint8_t kAlarmVector = 0x41;

// Has that vCPU called there from now on.
[[nodiscard]] std::intptr_t register_area(std::uint32_t cpu);

} // namespace xovl::guest
