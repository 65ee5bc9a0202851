// SPDX-License-Identifier: GPL-2.0-or-later
// The other CPUs: starting them, and having them do something.
//
//     if (Cpu *other = cpu(1)) {
//         int seen = 0;
//         const bool done = run_on(*other, [&] { seen = look(); });
//     }
//
// A CPU is named by Xen's number for its vCPU, which is not its APIC id. What
// runs on it runs with interrupts off, as everything here. In between it halts
// with them on.
#pragma once

#include <cstdint>

namespace xovl::guest
{

struct Cpu {
    bool present;
    std::uint32_t id; // Xen's vCPU id
    std::uint32_t apic_id;

    // Work, from the first CPU to this one.
    void (*volatile work)(void *);
    void *argument;
    volatile bool started; // by ap_boot(); cleared before it is started
};

// Starts all others; returns how many CPUs there are. Waits until as many as
// `expected` are there, or if that is 0 until for a while none more came. If it
// is 1, nobody is started.
unsigned smp_init(unsigned expected);

[[nodiscard]] Cpu &this_cpu();

// nullptr if there is none with that id.
[[nodiscard]] Cpu *cpu(std::uint32_t id);

// One more than the highest id there is.
[[nodiscard]] std::uint32_t cpu_ids();

void start_work(Cpu &cpu, void (*work)(void *), void *argument);

// False if it is not done within the time. Then the CPU is started anew, so
// that the next can use it; what it was doing may be half done.
[[nodiscard]] bool finish_work(Cpu &cpu, std::uint32_t milliseconds);

// `work` must live until it is finished.
template <typename Work>
void start_on(Cpu &cpu, Work &work)
{
    start_work(
        cpu, [](void *w) { (*static_cast<Work *>(w))(); }, &work);
}

inline constexpr std::uint32_t kWorkMs = 10000;

template <typename Work>
[[nodiscard]] bool run_on(Cpu &cpu, Work work,
                          std::uint32_t milliseconds = kWorkMs)
{
    if (&cpu == &this_cpu()) {
        work();
        return true;
    }
    start_on(cpu, work);
    return finish_work(cpu, milliseconds);
}

// INIT: the CPU waits for a SIPI, as before it was first started.
void stop(Cpu &cpu);

// INIT and SIPI; false if it did not come up.
[[nodiscard]] bool restart(Cpu &cpu);

// What the first CPU does when it comes by the way of the others, after the
// machine slept (sleep.cpp). It does not return.
void smp_set_wakeup(void (*wakeup)());

// Where they all come in, in real mode; below 1 MiB, page-aligned.
[[nodiscard]] std::uint32_t smp_entry();

// SIPI only, for one that stop() has stopped.
[[nodiscard]] bool start(Cpu &cpu);

} // namespace xovl::guest
