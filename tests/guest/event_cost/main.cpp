// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark guest: how long an event takes from its sender to its handler.
//
// Events are heard in the default vcpu_info slots of shared_info, by way of the
// callback vector, as Linux hears them. What is measured is read from the TSC,
// which counts instructions where the machine below is emulated that way
// (docs/benchmarks/README.md).
//
// Method: commands of one letter come on COM1, and are answered by lines
//   BENCH <what> <number> <number> ...     then     END <letter>
//   s  `loops` times vCPU 0 sends to itself
//   o  `loops` times it sends to vCPU 1, which halts; which sends back. Prints
//      the one way and the round trip
//   t  `loops` times a timer is set and waited for, halted: how late it is, ns
//   m  as s, each time after a memslot changed that has nothing to do with any
//      of this: the RAM that shows below 1 MiB (a PAM register of the Q35's)
//   r  as s, each time after shared_info was moved
//   w  as s, while vCPU 1 moves shared_info all the time; a fifth as often
//   v  each vCPU's vcpu_info is registered. Not before the others: events are
//      heard there afterwards
//   q  the end
//
// Options: cpus=N (that there are), loops=N
#include <cstddef>
#include <cstdint>

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "event_channel.hpp"
#include "guest_main.hpp"
#include "interrupts.hpp"
#include "report.hpp"
#include "samples.hpp"
#include "selectors.h"
#include "shared_info.hpp"
#include "smp.hpp"
#include "start_info.hpp"
#include "system_time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint8_t kVector = 0x40;
constexpr std::size_t kMaxSamples = 1000;

// Far enough for all to be idle by then.
constexpr std::uint64_t kTimerAhead = 2000000;

struct Page {
    alignas(abi::kPageSize) volatile std::byte bytes[abi::kPageSize];
};

Page pages[2];
volatile std::size_t here; // which of them shows shared_info

std::uint64_t samples[kMaxSamples];
std::uint64_t more_samples[kMaxSamples];

std::uint32_t port_to_self;
std::uint32_t port_to_other;
std::uint32_t port_back;
std::uint32_t port_of_timer;

// When the last event was heard, and how many were.
struct Heard {
    volatile std::uint64_t at;
    volatile std::uint64_t count;
};

Heard heard[MAX_CPUS];

volatile abi::SharedInfo64 &shared_info()
{
    return reinterpret_cast<volatile abi::SharedInfo64 &>(pages[here]);
}

void upcall(unsigned)
{
    const std::uint64_t now = rdtsc();
    const std::uint32_t cpu = cpu_number();
    volatile abi::SharedInfo64 &info = shared_info();
    info.vcpu_info[cpu].evtchn_upcall_pending = 0;
    info.vcpu_info[cpu].evtchn_pending_sel = 0;
    // All ports are in the first word, and those that another vCPU hears stay.
    std::uint64_t mine = cpu == 0 ? std::uint64_t{1} << port_to_self |
                                        std::uint64_t{1} << port_back |
                                        std::uint64_t{1} << port_of_timer
                                  : std::uint64_t{1} << port_to_other;
    mine &=
        __atomic_fetch_and(&info.evtchn_pending[0], ~mine, __ATOMIC_SEQ_CST);
    if (mine == 0) {
        return;
    }
    heard[cpu].at = now;
    heard[cpu].count = heard[cpu].count + 1;
    if (cpu != 0) {
        (void)send(port_back);
    }
}

// Interrupts on while `work` runs: one is let in.
template <typename Work>
void with_interrupts(Work work)
{
    asm volatile("sti" : : : "memory", "cc");
    work();
    asm volatile("cli" : : : "memory", "cc");
}

void move_page()
{
    const std::size_t to = 1 - here;
    const std::intptr_t result = map_shared_info(&pages[to]);
    if (result != 0) {
        fail("a remap returned ", result);
    }
    here = to;
}

std::uint64_t send_to_self()
{
    const std::uint64_t before = heard[0].count;
    const std::uint64_t start = rdtsc();
    with_interrupts([] { (void)send(port_to_self); });
    while (heard[0].count == before) {
        let_interrupts_in();
    }
    return heard[0].at - start;
}

// To vCPU 1 and back, this one halted meanwhile: there may be one CPU for both.
void ping(std::uint64_t &one_way, std::uint64_t &round_trip)
{
    const std::uint64_t before = heard[0].count;
    const std::uint64_t start = rdtsc();
    (void)send(port_to_other);
    while (heard[0].count == before) {
        halt_once();
    }
    one_way = heard[1].at - start;
    round_trip = heard[0].at - start;
}

// How late, in ns.
std::uint64_t wait_for_timer()
{
    const Clock clock = read_clock(shared_info().vcpu_info[0]);
    const std::uint64_t before = heard[0].count;
    const abi::vcpu_set_singleshot_timer argument{
        .timeout_abs_ns = clock.at(rdtsc()) + kTimerAhead, .flags = 0};
    const std::intptr_t result =
        hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_set_singleshot_timer, 0,
                  address_of(argument));
    if (result != 0) {
        fail("setting the timer returned ", result);
    }
    while (heard[0].count == before) {
        halt_once();
    }
    return clock.at(heard[0].at) - argument.timeout_abs_ns;
}

// Shows RAM below 1 MiB, or what lies behind it.
void change_a_memslot()
{
    constexpr std::uint16_t kAddress = 0xcf8;
    constexpr std::uint16_t kData = 0xcfc;
    constexpr std::uint32_t kPam2 = 0x92; // 0xc8000 to 0xcffff
    constexpr std::uint8_t kReadAndWrite = 0x33;
    asm volatile("outl %0, %1"
                 :
                 : "a"(0x80000000 | (kPam2 & ~3)), "Nd"(kAddress)
                 : "memory");
    const std::uint8_t was = inb(kData + (kPam2 & 3));
    outb(kData + (kPam2 & 3), was ^ kReadAndWrite);
}

template <typename Before>
void measure_self(const char *what, std::uint64_t loops, Before before)
{
    for (std::uint64_t i = 0; i < loops; ++i) {
        before();
        samples[i] = send_to_self();
    }
    print_samples(what, samples, loops);
}

void measure_other(std::uint64_t loops)
{
    if (!cpu(1)) {
        return;
    }
    for (std::uint64_t i = 0; i < loops; ++i) {
        ping(samples[i], more_samples[i]);
    }
    print_samples("other", samples, loops);
    print_samples("round-trip", more_samples, loops);
}

void measure_timer(std::uint64_t loops)
{
    for (std::uint64_t i = 0; i < loops; ++i) {
        samples[i] = wait_for_timer();
    }
    print_samples("timer", samples, loops);
}

void measure_while_moved(std::uint64_t loops)
{
    Cpu *const other = cpu(1);
    if (!other) {
        return;
    }
    volatile bool stop = false;
    volatile std::uint64_t moves = 0;
    auto work = [&] {
        while (!stop) {
            move_page();
            moves = moves + 1;
        }
    };
    start_on(*other, work);
    measure_self("self-while-moved", loops, [&] {
        // The next move must be under way.
        const std::uint64_t seen = moves;
        while (moves == seen) {
            pause();
        }
    });
    stop = true;
    if (!finish_work(*other, kWorkMs)) {
        error("the other vCPU does not stop");
    }
}

void measure_registration()
{
    alignas(64) static volatile abi::VcpuInfo64 areas[MAX_CPUS];
    std::uint64_t count = 0;
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        const auto address = reinterpret_cast<std::uintptr_t>(&areas[id]);
        const abi::vcpu_register_vcpu_info argument{
            .mfn = address / abi::kPageSize,
            .offset = static_cast<std::uint32_t>(address % abi::kPageSize),
            .rsvd = 0};
        const std::uint64_t start = rdtsc();
        const std::intptr_t result =
            hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_register_vcpu_info,
                      id, address_of(argument));
        samples[count++] = rdtsc() - start;
        if (result != 0) {
            fail("registration of vCPU ", id, " returned ", result);
        }
    }
    print_samples("registration", samples, count);
}

void set_up(unsigned cpus)
{
    set_interrupt_handler(kVector, upcall);
    const std::intptr_t mapped = map_shared_info(&pages[0]);
    if (mapped != 0) {
        fail("mapping shared_info returned ", mapped);
    }
    (void)smp_init(cpus);
    const abi::xen_hvm_param callback{
        .domid = abi::DOMID_SELF,
        .pad = 0,
        .index = abi::HVM_PARAM_CALLBACK_IRQ,
        .value = abi::HVM_PARAM_CALLBACK_TYPE_VECTOR
                     << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT |
                 kVector};
    const std::intptr_t set = hypercall(
        abi::HYPERVISOR_hvm_op, abi::HVMOP_set_param, address_of(callback));
    if (set != 0) {
        fail("setting the callback returned ", set);
    }
    const std::uint32_t second = cpu(1) ? 1 : 0;
    const std::intptr_t ports[] = {bind_ipi(0), bind_ipi(second), bind_ipi(0),
                                   bind_virq(abi::VIRQ_TIMER, 0)};
    for (const std::intptr_t port : ports) {
        if (port <= 0 || port > 63) {
            fail("binding a port returned ", port);
        }
        (void)unmask(static_cast<std::uint32_t>(port));
    }
    port_to_self = static_cast<std::uint32_t>(ports[0]);
    port_to_other = static_cast<std::uint32_t>(ports[1]);
    port_back = static_cast<std::uint32_t>(ports[2]);
    port_of_timer = static_cast<std::uint32_t>(ports[3]);
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
    if (loops > kMaxSamples) {
        error("more than ", kMaxSamples, " samples");
    }
    xen_init();
    set_up(static_cast<unsigned>(cpus));
    print("READY\n");
    for (;;) {
        const char command = console_read_byte();
        switch (command) {
        case 's':
            measure_self("self", loops, [] {});
            break;
        case 'o':
            measure_other(loops);
            break;
        case 't':
            measure_timer(loops);
            break;
        case 'm':
            measure_self("self-after-memslot", loops, change_a_memslot);
            break;
        case 'r':
            measure_self("self-after-move", loops, move_page);
            break;
        case 'w':
            measure_while_moved(loops / 5);
            break;
        case 'v':
            measure_registration();
            break;
        case 'q':
            pass("done");
        default:
            error("it needs COM1, and commands there that it knows");
        }
        const char end[] = {command, '\n', '\0'};
        print("END ", end);
    }
}

} // namespace xovl::guest
