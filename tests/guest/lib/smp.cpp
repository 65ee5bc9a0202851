// SPDX-License-Identifier: GPL-2.0-or-later
// Application processors; ap_entry.S is where they come from.
#include "smp.hpp"

#include <cstring>

#include "cpu.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "report.hpp"
#include "selectors.h"
#include "time.hpp"
#include "xen.hpp"

extern "C" {
extern const char ap_trampoline[];
extern const char ap_trampoline_end[];
}

namespace xovl::guest
{

namespace
{

// Below 1 MiB, page-aligned, and nobody else's: the loader's structures that
// start_info names are not used any more, and firmware's own are elsewhere.
constexpr Word kTrampoline = 0x8000;
constexpr std::uint8_t kTrampolinePage = kTrampoline >> 12;

constexpr std::uint8_t kWakeVector = 0xf0;

constexpr std::uint32_t kInitMs = 10;
constexpr std::uint32_t kStartMs = 2000;
constexpr std::uint32_t kNoMoreMs = 300;

Cpu cpus[MAX_CPUS];
std::uint32_t ids = 1;
unsigned arrived = 1;
void (*wakeup_of_first)();

void wake(unsigned)
{
    lapic_end_of_interrupt();
}

[[noreturn]] void work_forever(Cpu &cpu)
{
    for (;;) {
        if (cpu.work) {
            cpu.work(cpu.argument);
            cpu.work = nullptr;
        } else {
            halt_once();
        }
    }
}

bool wait_for_start(Cpu &cpu)
{
    return wait_until(kStartMs, [&] { return cpu.started; });
}

// Returns how many there are then, with the first.
unsigned start_others(unsigned expected)
{
    lapic_send_init_to_others();
    wait_ms(kInitMs);
    lapic_send_startup_to_others(kTrampolinePage);

    const auto count = [] {
        return __atomic_load_n(&arrived, __ATOMIC_SEQ_CST);
    };
    unsigned seen = 1;
    while (seen != expected &&
           wait_until(seen < expected ? kStartMs : kNoMoreMs,
                      [&] { return count() > seen; })) {
        seen = count();
    }
    return seen;
}

} // namespace

extern "C" [[noreturn]] void ap_boot(unsigned number)
{
    const std::uint32_t id = xen_vcpu_id(number);
    if (id >= MAX_CPUS) {
        halt_forever();
    }
    interrupts_init_cpu(id);
    lapic_init();
    Cpu &cpu = cpus[id];
    if (id == 0 && wakeup_of_first) {
        wakeup_of_first();
    }
    if (!cpu.present) {
        cpu.id = id;
        cpu.apic_id = lapic_id();
        cpu.present = true;
        __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    }
    cpu.work = nullptr;
    cpu.started = true;
    work_forever(cpu);
}

unsigned smp_init(unsigned expected)
{
    lapic_init();
    set_interrupt_handler(kWakeVector, wake);
    cpus[0] = {.present = true,
               .id = 0,
               .apic_id = lapic_id(),
               .work = nullptr,
               .argument = nullptr,
               .started = true};

    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    std::memcpy(reinterpret_cast<void *>(kTrampoline), ap_trampoline,
                static_cast<std::size_t>(ap_trampoline_end - ap_trampoline));
    const unsigned seen = expected == 1 ? 1 : start_others(expected);
    if (expected != 0 && seen != expected) {
        error("cpus=", expected, ", but ", seen, " came up");
    }
    for (const Cpu &cpu : cpus) {
        if (cpu.present) {
            ids = cpu.id + 1;
        }
    }
    return seen;
}

Cpu &this_cpu()
{
    return cpus[cpu_number()];
}

Cpu *cpu(std::uint32_t id)
{
    return id < MAX_CPUS && cpus[id].present ? &cpus[id] : nullptr;
}

std::uint32_t cpu_ids()
{
    return ids;
}

void start_work(Cpu &cpu, void (*work)(void *), void *argument)
{
    cpu.argument = argument;
    cpu.work = work;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    lapic_send_fixed(cpu.apic_id, kWakeVector);
}

bool finish_work(Cpu &cpu, std::uint32_t milliseconds)
{
    if (wait_until(milliseconds, [&] { return cpu.work == nullptr; })) {
        return true;
    }
    (void)restart(cpu);
    return false;
}

void smp_set_wakeup(void (*wakeup)())
{
    wakeup_of_first = wakeup;
}

std::uint32_t smp_entry()
{
    return kTrampoline;
}

void stop(Cpu &cpu)
{
    cpu.started = false;
    lapic_send_init(cpu.apic_id);
    wait_ms(kInitMs);
}

bool start(Cpu &cpu)
{
    lapic_send_startup(cpu.apic_id, kTrampolinePage);
    return wait_for_start(cpu);
}

bool restart(Cpu &cpu)
{
    stop(cpu);
    return start(cpu);
}

} // namespace xovl::guest
