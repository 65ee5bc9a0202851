// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark guest: how long an event takes from its sender to its handler.
//
// Events are heard in the default vcpu_info slots of shared_info, by way of the
// callback vector, as Linux hears them. What is measured is read from the TSC,
// which counts instructions where the machine below is emulated that way
// (docs/benchmarks/README.md).
//
// Method: commands come on COM1, and are answered by lines
//   BENCH <what> <number> <number> ...     then     END <command>
// One of two letters says which event, and what goes on meanwhile:
//   s  vCPU 0 sends to itself
//   o  it sends to vCPU 1, which halts, and sends back: the one way
//   b  the same: the round trip
//   t  a timer is set and waited for, halted: how late it is, ns
//   x  XenStore is asked for something: from the event that says so to the one
//      that says there is an answer. It is the one back end that is always
//      there
// and
//   -  nothing
//   m  before each, a memslot changed that has nothing to do with any of this
//   r  before each, shared_info was moved
//   w  vCPU 2 moves shared_info all the time; a fifth as often
//   h  vCPU 2 moves it once in 5 ms and halts in between; twice as often
// `loops` times. In all but the first, vCPU 0 halts for 1 to 4 ms before it
// sends. With w and h also those alone that were sent or heard while a move was
// under way, how many were lost, that is not heard in time, and how many moves
// there were. Otherwise none may be lost.
// Of one letter:
//   a  all RAM is touched
//   v  vCPU 0 registers a vcpu_info for each vCPU. Not before other commands:
//      events are heard there afterwards
//   u  instead of v: each vCPU registers its own
//   c  as u, but nothing is registered: what else there is to do in u
//   p  prints what v or u took, which printed nothing
//   n  nothing at all
//   q  the end
// While it waits for a command it halts. So what it makes the machine do
// between two commands can be counted outside, too: in all of n, and in all of
// v. Where there is no COM1 (a PVH guest on Xen), it does "s-o-b-t-x-up" and
// ends.
//
// Options: cpus=N (that there are), loops=N
//
// What it cannot tell: how long an event takes from a back end alone. That has
// another clock.
#include <cstdint>

#include "condition.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "event.hpp"
#include "guest_main.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "memory_map.hpp"
#include "page.hpp"
#include "registration.hpp"
#include "report.hpp"
#include "smp.hpp"
#include "start_info.hpp"
#include "system_time.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint8_t kCom1Vector = 0x42;
constexpr unsigned kCom1Pin = 4;

// What is done where nobody can say anything.
const char *unasked = "s-o-b-t-x-upq";

// Enough said, until somebody has read it and waits for more.
void com1_has_a_byte(unsigned)
{
    console_announce_bytes(false);
    lapic_end_of_interrupt();
}

// The next letter of a command.
char next_letter()
{
    if (!console_present()) {
        return *unasked++;
    }
    while (!console_has_byte()) {
        console_announce_bytes(true);
        halt_once();
    }
    return console_read_byte();
}

void set_up(unsigned cpus)
{
    set_interrupt_handler(kCom1Vector, com1_has_a_byte);
    if (console_present()) {
        ioapic_route(kCom1Pin, kCom1Vector, lapic_id());
    }
    page_init();
    const Clock clock = read_clock(shared_info().vcpu_info[0]);
    time_set_scale(clock.multiplier, clock.shift);
    (void)smp_init(cpus);
    events_init();
}

void do_command(char letter)
{
    switch (letter) {
    case 'a':
        (void)touch_all_ram();
        break;
    case 'v':
        register_all();
        break;
    case 'u':
        each_registers_itself();
        break;
    case 'c':
        each_does_nothing();
        break;
    case 'p':
        print_registrations();
        break;
    case 'n':
        break;
    case 'q':
        pass("done");
    default:
        error("no such command");
    }
}

} // namespace

const char *guest_name()
{
    return "event_cost";
}

void guest_main()
{
    const std::uint64_t loops = option("loops", 100);
    const std::uint64_t cpus = option("cpus", 0);
    end_of_options();
    if (loops > kMaxLoops) {
        error("more than ", kMaxLoops, " loops");
    }
    memory_map_init();
    map_all_ram();
    xen_init();
    set_up(static_cast<unsigned>(cpus));
    print("READY\n");
    for (;;) {
        char command[] = {next_letter(), '\0', '\0'};
        if (const Event *const chosen = event(command[0])) {
            command[1] = next_letter();
            if (!measure(*chosen, command[1], loops)) {
                error("no such condition");
            }
        } else {
            do_command(command[0]);
        }
        print("END ", static_cast<const char *>(command), "\n");
    }
}

} // namespace xovl::guest
