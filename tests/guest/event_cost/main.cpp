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
//   w  as s, while vCPU 1 moves shared_info all the time; a fifth as often.
//      Also how many were lost: not heard in time
//   h  as w, but vCPU 1 moves it once in 5 ms and halts in between, and vCPU 0
//      halts for 1 to 4 ms before it sends; twice as often. Also those alone
//      that were sent while a move was under way, and how often it was moved
//   x  half as often, XenStore is asked for something: from the event that
//      says so to the one that says there is an answer. It is the one back end
//      that is always there
//   v  vCPU 0 registers a vcpu_info for each vCPU. Not before the others:
//      events are heard there afterwards
//   u  instead of v: each vCPU registers its own
//   c  as u, but nothing is registered: what else there is to do in u
//   p  prints what v or u took, which printed nothing
//   n  nothing at all
//   q  the end
// While it waits for a command it halts. So what it makes the machine do
// between two commands can be counted outside, too: in all of n, and in all of
// v. Where there is no COM1 (a PVH guest on Xen), it does "sotxup" and ends.
// Each registration is marked for who counts instructions by address (mark.hpp;
// tools/profile).
//
// Options: cpus=N (that there are), loops=N
//
// What it cannot tell: how long an event takes from a back end alone. That has
// another clock.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "abi/xenstore.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "event_channel.hpp"
#include "guest_main.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "mark.hpp"
#include "report.hpp"
#include "samples.hpp"
#include "selectors.h"
#include "shared_info.hpp"
#include "smp.hpp"
#include "start_info.hpp"
#include "system_time.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint8_t kVector = 0x40;
constexpr std::uint8_t kAlarmVector = 0x41;
constexpr std::uint8_t kCom1Vector = 0x42;
constexpr unsigned kCom1Pin = 4;
constexpr std::size_t kMaxSamples = 1000;

// As tools/profile knows them.
constexpr std::uint16_t kMarkRegistration = 1;

// Far enough for all to be idle by then.
constexpr std::uint64_t kTimerAhead = 2000000;

// Of the local APIC's clock: ns.
constexpr std::uint32_t kMovePeriod = 5000000;
constexpr std::uint32_t kShortestPause = 1000000;
constexpr std::uint32_t kLongestPause = 4000000;

// What is not heard by then is lost. On one host CPU the other vCPU may be on
// for a while.
constexpr std::uint32_t kLostMs = 100;

struct Page {
    alignas(abi::kPageSize) volatile std::byte bytes[abi::kPageSize];
};

Page pages[2];
volatile std::size_t here; // which of them shows shared_info
volatile bool moving;      // by another vCPU, again and again
volatile bool under_way;   // one such move, right now

// Where each vCPU is called once it has registered that.
alignas(64) volatile abi::VcpuInfo64 areas[MAX_CPUS];

std::uint64_t samples[kMaxSamples];
std::uint64_t more_samples[kMaxSamples];
std::uint64_t registrations; // that `samples` has

std::uint32_t port_to_self;
std::uint32_t port_to_other;
std::uint32_t port_back;
std::uint32_t port_of_timer;
std::uint32_t port_of_store; // 0: there is none

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

std::uint64_t bit(std::uint32_t port)
{
    return std::uint64_t{1} << port;
}

// Takes the calling vCPU's ports out of a page. All ports are in the first
// word, and those that another vCPU hears stay.
std::uint64_t take_from(Page &page, std::uint32_t cpu)
{
    auto &info = reinterpret_cast<volatile abi::SharedInfo64 &>(page);
    const std::uint64_t mine =
        cpu == 0 ? bit(port_to_self) | bit(port_back) | bit(port_of_timer) |
                       (port_of_store != 0 ? bit(port_of_store) : 0)
                 : bit(port_to_other);
    return mine &
           __atomic_fetch_and(&info.evtchn_pending[0], ~mine, __ATOMIC_SEQ_CST);
}

void acknowledge(Page &page, std::uint32_t cpu)
{
    auto &info = reinterpret_cast<volatile abi::SharedInfo64 &>(page);
    info.vcpu_info[cpu].evtchn_upcall_pending = 0;
    info.vcpu_info[cpu].evtchn_pending_sel = 0;
}

// While another vCPU moves the page, nobody can know where it is now, or
// whether it is anywhere. So both places are looked at (nothing is in the RAM
// that may be there instead), and a call for which nothing was found stays, to
// come again. Otherwise it would be this guest that loses events, not the
// machine.
std::uint64_t take_while_moving(std::uint32_t cpu)
{
    const bool may_be_missed = under_way;
    std::uint64_t taken = 0;
    for (Page &page : pages) {
        taken |= take_from(page, cpu);
    }
    if (taken != 0 || !may_be_missed) {
        for (Page &page : pages) {
            acknowledge(page, cpu);
        }
    }
    return taken;
}

std::uint64_t take(std::uint32_t cpu)
{
    if (moving) {
        return take_while_moving(cpu);
    }
    acknowledge(pages[here], cpu);
    return take_from(pages[here], cpu);
}

void upcall(unsigned)
{
    const std::uint64_t now = rdtsc();
    const std::uint32_t cpu = cpu_number();
    // A registration is an upcall, and one that nobody acknowledges comes
    // again and again: the vCPU would keep its host CPU busy.
    areas[cpu].evtchn_upcall_pending = 0;
    areas[cpu].evtchn_pending_sel = 0;
    if (take(cpu) == 0) {
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
    under_way = true;
    const std::intptr_t result = map_shared_info(&pages[to]);
    if (result != 0) {
        fail("a remap returned ", result);
    }
    here = to;
    under_way = false;
}

void alarm(unsigned)
{
    lapic_end_of_interrupt();
}

// Enough said, until somebody has read it and waits for more.
void com1_has_a_byte(unsigned)
{
    console_announce_bytes(false);
    lapic_end_of_interrupt();
}

// The next command. '\0' without COM1.
char wait_for_command()
{
    while (console_present() && !console_has_byte()) {
        console_announce_bytes(true);
        halt_once();
    }
    return console_read_byte();
}

// Halts for times that have nothing to do with anything.
void pause_at_random()
{
    static std::uint32_t state = 1;
    state = state * 1664525 + 1013904223; // from Numerical Recipes
    const std::uint32_t ticks =
        kShortestPause + (state >> 8) % (kLongestPause - kShortestPause);
    const std::uint64_t end = rdtsc() + ticks;
    lapic_alarm(kAlarmVector, ticks);
    while (rdtsc() < end) {
        halt_once();
    }
}

// False if it was not heard in time.
bool send_to_self(std::uint64_t &cost)
{
    const std::uint64_t before = heard[0].count;
    const std::uint64_t start = rdtsc();
    with_interrupts([] { (void)send(port_to_self); });
    const Deadline lost(kLostMs);
    while (heard[0].count == before) {
        let_interrupts_in();
        if (lost.passed()) {
            // Or the next one would be lost for that.
            (void)take(0);
            return false;
        }
    }
    cost = heard[0].at - start;
    return true;
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

// Returns how many were lost.
template <typename Before>
std::uint64_t measure_self(const char *what, std::uint64_t loops, Before before)
{
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < loops; ++i) {
        before();
        count += send_to_self(samples[count]) ? 1 : 0;
    }
    print_samples(what, samples, count);
    return loops - count;
}

template <typename Before>
void measure_self_unlost(const char *what, std::uint64_t loops, Before before)
{
    if (const std::uint64_t lost = measure_self(what, loops, before)) {
        fail(lost, " events of ", loops, " were lost, ", what);
    }
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
    moving = true;
    start_on(*other, work);
    const std::uint64_t lost = measure_self("self-while-moved", loops, [&] {
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
    moving = false;
    print("BENCH lost-while-moved ", lost, "\n");
}

// Both vCPUs halt between what they do, so that with one host CPU for both of
// them nobody waits for the other's time slice to end.
void measure_with_moves_now_and_then(std::uint64_t loops)
{
    Cpu *const other = cpu(1);
    if (!other) {
        return;
    }
    volatile bool stop = false;
    volatile std::uint64_t moves = 0;
    auto work = [&] {
        lapic_repeat(kAlarmVector, kMovePeriod);
        while (!stop) {
            halt_once();
            move_page();
            moves = moves + 1;
        }
        lapic_repeat(kAlarmVector, 0);
    };
    moving = true;
    start_on(*other, work);
    std::uint64_t count = 0;
    std::uint64_t hits = 0;
    for (std::uint64_t i = 0; i < loops; ++i) {
        pause_at_random();
        const bool hit = under_way;
        if (send_to_self(samples[count])) {
            if (hit) {
                more_samples[hits++] = samples[count];
            }
            ++count;
        }
    }
    stop = true;
    // The time of a move, and one more.
    for (int i = 0; i < 5; ++i) {
        pause_at_random();
    }
    if (!finish_work(*other, kWorkMs)) {
        error("the other vCPU does not stop");
    }
    moving = false;
    print_samples("self-with-moves", samples, count);
    print_samples("self-in-a-move", more_samples, hits);
    print("BENCH lost-with-moves ", loops - count, "\n");
    print("BENCH moves ", moves, "\n");
}

std::uint64_t get_param(std::uint32_t index)
{
    std::uint64_t value = 0;
    if (const std::intptr_t result = get_hvm_param(index, value); result != 0) {
        fail("parameter ", index, " cannot be read: ", result);
    }
    return value;
}

// From the event to XenStore to its own, with which there is an answer.
std::uint64_t ask_store(volatile abi::xenstore_domain_interface &ring)
{
    static const char path[] = "domid";
    const abi::xsd_sockmsg head{
        .type = abi::XS_READ, .req_id = 0, .tx_id = 0, .len = sizeof(path)};
    constexpr std::uint32_t kSize = sizeof(head) + sizeof(path);
    char message[kSize];
    std::memcpy(message, &head, sizeof(head));
    std::memcpy(message + sizeof(head), path, sizeof(path));

    ring.rsp_cons = ring.rsp_prod;
    const std::uint32_t produced = ring.req_prod;
    for (std::uint32_t i = 0; i < kSize; ++i) {
        ring.req[(produced + i) % abi::XENSTORE_RING_SIZE] = message[i];
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring.req_prod = produced + kSize;
    const std::uint64_t start = rdtsc();
    (void)send(port_of_store);
    // An answer without an event, or an event without an answer: not yet all.
    while (ring.rsp_prod - ring.rsp_cons <= sizeof(head) ||
           heard[0].at < start) {
        halt_once();
    }
    return heard[0].at - start;
}

void measure_store(std::uint64_t loops)
{
    if (port_of_store == 0) {
        return;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    auto &ring = *reinterpret_cast<volatile abi::xenstore_domain_interface *>(
        get_param(abi::HVM_PARAM_STORE_PFN) * abi::kPageSize);
    for (std::uint64_t i = 0; i < loops; ++i) {
        samples[i] = ask_store(ring);
    }
    print_samples("back-end", samples, loops);
}

void measure_registration(std::uint32_t id)
{
    const std::uint64_t start = rdtsc();
    mark_begin<kMarkRegistration>();
    const std::intptr_t result = register_vcpu_info(id, &areas[id]);
    mark_end();
    samples[registrations++] = rdtsc() - start;
    if (result != 0) {
        fail("registration of vCPU ", id, " returned ", result);
    }
    // The upcall that a registration is, if it is this vCPU's own. Otherwise it
    // would end the halt in which the next command is waited for, and all that
    // is done to wait for it again would count.
    let_interrupts_in();
}

void register_all()
{
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        measure_registration(id);
    }
}

// Each vCPU does it with its own number, one after the other. The first one
// halts meanwhile: were it to look whether another is done, it would be looking
// for as long as the host lets it.
template <typename Work>
void each_for_itself(Work work)
{
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        Cpu *const target = cpu(id);
        auto task = [&] { work(id); };
        if (id == 0 || !target) {
            task();
            continue;
        }
        start_on(*target, task);
        pause_at_random();
        if (!finish_work(*target, kWorkMs)) {
            error("vCPU ", id, " does not get done");
        }
    }
}

void set_up(unsigned cpus)
{
    set_interrupt_handler(kVector, upcall);
    set_interrupt_handler(kAlarmVector, alarm);
    set_interrupt_handler(kCom1Vector, com1_has_a_byte);
    if (console_present()) {
        ioapic_route(kCom1Pin, kCom1Vector, lapic_id());
    }
    const std::intptr_t mapped = map_shared_info(&pages[0]);
    if (mapped != 0) {
        fail("mapping shared_info returned ", mapped);
    }
    const Clock clock = read_clock(shared_info().vcpu_info[0]);
    time_set_scale(clock.multiplier, clock.shift);
    (void)smp_init(cpus);
    const std::intptr_t set =
        set_hvm_param(abi::HVM_PARAM_CALLBACK_IRQ,
                      abi::HVM_PARAM_CALLBACK_TYPE_VECTOR
                              << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT |
                          kVector);
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
    const std::uint64_t store = get_param(abi::HVM_PARAM_STORE_EVTCHN);
    if (store != 0 && store <= 63) {
        port_of_store = static_cast<std::uint32_t>(store);
        (void)unmask(port_of_store);
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
    if (2 * loops > kMaxSamples) {
        error("more than ", kMaxSamples / 2, " loops");
    }
    xen_init();
    set_up(static_cast<unsigned>(cpus));
    print("READY\n");
    const char *next = "sotxupq";
    for (;;) {
        const char told = wait_for_command();
        const char command = told != '\0' ? told : *next++;
        switch (command) {
        case 's':
            measure_self_unlost("self", loops, [] {});
            break;
        case 'o':
            measure_other(loops);
            break;
        case 't':
            measure_timer(loops);
            break;
        case 'm':
            measure_self_unlost("self-after-memslot", loops, change_a_memslot);
            break;
        case 'r':
            measure_self_unlost("self-after-move", loops, move_page);
            break;
        case 'w':
            measure_while_moved(loops / 5);
            break;
        case 'h':
            measure_with_moves_now_and_then(2 * loops);
            break;
        case 'x':
            measure_store(loops / 2);
            break;
        case 'v':
            register_all();
            break;
        case 'u':
            each_for_itself(measure_registration);
            break;
        case 'c':
            each_for_itself([](std::uint32_t) {});
            break;
        case 'p':
            print_samples("registration", samples, registrations);
            break;
        case 'n':
            break;
        case 'q':
            pass("done");
        default:
            error("no such command");
        }
        const char end[] = {command, '\n', '\0'};
        print("END ", end);
    }
}

} // namespace xovl::guest
