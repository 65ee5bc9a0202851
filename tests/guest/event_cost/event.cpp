// SPDX-License-Identifier: GPL-2.0-or-later
#include "event.hpp"

#include <cstring>

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "abi/xenstore.hpp"
#include "cpu.hpp"
#include "event_channel.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "page.hpp"
#include "report.hpp"
#include "selectors.h"
#include "smp.hpp"
#include "system_time.hpp"
#include "time.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint8_t kVector = 0x40;

// Far enough for all to be idle by then; and what is added to it, if it should
// have nothing to do with moves that are under way: the time between two.
constexpr std::uint64_t kTimerAhead = 2000000;
constexpr std::uint32_t kTimerSpread = 5000000;

// Of the local APIC's clock: ns.
constexpr std::uint32_t kShortestPause = 1000000;
constexpr std::uint32_t kLongestPause = 4000000;

// What is not heard by then is lost. On one host CPU another vCPU may be on
// for a while.
constexpr std::uint32_t kLostMs = 100;
// A bit later: whoever is woken by it finds that the time is over.
constexpr std::uint32_t kLostAlarm = (kLostMs + 1) * 1000000;

// Where each vCPU is called once it has registered that.
alignas(64) volatile abi::VcpuInfo64 areas[MAX_CPUS];

std::uint32_t port_to_self;
std::uint32_t port_to_other;
std::uint32_t port_back;
std::uint32_t port_of_timer;
std::uint32_t port_of_store; // 0: there is none
volatile abi::xenstore_domain_interface *store;

// The last event that a vCPU heard.
struct Heard {
    volatile std::uint64_t at;
    volatile bool in_a_move;
};

Heard heard[MAX_CPUS];

// vCPU 0's, as it was last read. It is the same clock later.
Clock timers_clock;

std::uint64_t bit(std::uint32_t port)
{
    return std::uint64_t{1} << port;
}

std::uint64_t ports_of(std::uint32_t cpu)
{
    if (cpu != 0) {
        return bit(port_to_other);
    }
    return bit(port_to_self) | bit(port_back) | bit(port_of_timer) |
           (port_of_store != 0 ? bit(port_of_store) : 0);
}

void upcall(unsigned)
{
    const std::uint64_t now = rdtsc();
    const bool in_a_move = move_under_way();
    const std::uint32_t cpu = cpu_number();
    // A registration is an upcall, and one that nobody acknowledges comes
    // again and again: the vCPU would keep its host CPU busy.
    areas[cpu].evtchn_upcall_pending = 0;
    areas[cpu].evtchn_pending_sel = 0;
    if (take(ports_of(cpu), cpu) == 0) {
        return;
    }
    heard[cpu].in_a_move = in_a_move;
    heard[cpu].at = now;
    if (cpu != 0) {
        (void)send(port_back);
    }
}

std::uint32_t random_below(std::uint32_t end)
{
    static std::uint32_t state = 1;
    state = state * 1664525 + 1013904223; // from Numerical Recipes
    return (state >> 8) % end;
}

void alarm(unsigned)
{
    lapic_end_of_interrupt();
}

// Interrupts on while `work` runs: one is let in.
template <typename Work>
void with_interrupts(Work work)
{
    asm volatile("sti" : : : "memory", "cc");
    work();
    asm volatile("cli" : : : "memory", "cc");
}

// Nothing of it may be left, or the next one would be lost for that: a port
// that is pending is not sent to.
Outcome lost()
{
    (void)take(ports_of(0), 0);
    (void)take(ports_of(1), 1);
    return {.lost = true, .cost = 0, .in_a_move = false};
}

// From here on an event counts as lost some time later; which the vCPU is woken
// for.
Deadline lost_after()
{
    // In this order: no alarm may come before the end, and be the last one.
    const Deadline end(kLostMs);
    lapic_alarm(kAlarmVector, kLostAlarm);
    return end;
}

// Halts until `done()`; false if it is not before the end.
template <typename Done>
bool halt_until(const Deadline &end, Done done)
{
    while (!done()) {
        if (end.passed()) {
            return false;
        }
        halt_once();
    }
    lapic_alarm(kAlarmVector, 0);
    return true;
}

bool always()
{
    return true;
}

// To a vCPU that runs, and sees that it was called without having halted.
Outcome send_to_self()
{
    const bool in_a_move = move_under_way();
    const std::uint64_t start = rdtsc();
    with_interrupts([] { (void)send(port_to_self); });
    const Deadline end(kLostMs);
    while (heard[0].at < start) {
        let_interrupts_in();
        if (end.passed()) {
            return lost();
        }
    }
    return {.lost = false,
            .cost = heard[0].at - start,
            .in_a_move = in_a_move || heard[0].in_a_move};
}

bool other_there()
{
    return cpu(1) != nullptr;
}

// To vCPU 1, which halts, and back. This one halts meanwhile: there may be one
// CPU for both.
Outcome send_to_other(std::uint32_t heard_by)
{
    const Deadline end = lost_after();
    const bool in_a_move = move_under_way();
    const std::uint64_t start = rdtsc();
    (void)send(port_to_other);
    if (!halt_until(end, [&] {
            return heard[0].at >= start && heard[1].at >= start;
        })) {
        return lost();
    }
    return {.lost = false,
            .cost = heard[heard_by].at - start,
            .in_a_move = in_a_move || heard[heard_by].in_a_move};
}

Outcome send_one_way()
{
    return send_to_other(1);
}

Outcome send_round_trip()
{
    return send_to_other(0);
}

Outcome wait_for_timer()
{
    std::uint64_t ahead = kTimerAhead;
    if (moves_expected()) {
        ahead += random_below(kTimerSpread);
    } else {
        // Nobody can read it while the page is moved.
        timers_clock = read_clock(shared_info().vcpu_info[0]);
    }
    const Deadline end = lost_after();
    const std::uint64_t start = rdtsc();
    const abi::vcpu_set_singleshot_timer argument{
        .timeout_abs_ns = timers_clock.at(start) + ahead, .flags = 0};
    const std::intptr_t result =
        hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_set_singleshot_timer, 0,
                  address_of(argument));
    if (result != 0) {
        fail("setting the timer returned ", result);
    }
    // What comes early is the timer's before, found in a page that came back.
    if (!halt_until(end, [&] {
            return heard[0].at >= start &&
                   timers_clock.at(heard[0].at) >= argument.timeout_abs_ns;
        })) {
        return lost();
    }
    return {.lost = false,
            .cost = timers_clock.at(heard[0].at) - argument.timeout_abs_ns,
            .in_a_move = heard[0].in_a_move};
}

bool store_there()
{
    return port_of_store != 0;
}

std::uint64_t get_param(std::uint32_t index)
{
    std::uint64_t value = 0;
    if (const std::intptr_t result = get_hvm_param(index, value); result != 0) {
        fail("parameter ", index, " cannot be read: ", result);
    }
    return value;
}

// XenStore is asked for something: from the event that says so to the one that
// says there is an answer. It is the one back end that is always there.
Outcome ask_store()
{
    volatile abi::xenstore_domain_interface &ring = *store;
    static const char path[] = "domid";
    const abi::xsd_sockmsg head{
        .type = abi::XS_READ, .req_id = 0, .tx_id = 0, .len = sizeof(path)};
    constexpr std::uint32_t kSize = sizeof(head) + sizeof(path);
    char message[kSize];
    std::memcpy(message, &head, sizeof(head));
    std::memcpy(message + sizeof(head), path, sizeof(path));

    const Deadline end = lost_after();
    ring.rsp_cons = ring.rsp_prod;
    const std::uint32_t produced = ring.req_prod;
    for (std::uint32_t i = 0; i < kSize; ++i) {
        ring.req[(produced + i) % abi::XENSTORE_RING_SIZE] = message[i];
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring.req_prod = produced + kSize;
    const bool in_a_move = move_under_way();
    const std::uint64_t start = rdtsc();
    (void)send(port_of_store);
    // An answer without an event, or an event without an answer: not yet all.
    if (!halt_until(end, [&] {
            return ring.rsp_prod - ring.rsp_cons > sizeof(head) &&
                   heard[0].at >= start;
        })) {
        return lost();
    }
    return {.lost = false,
            .cost = heard[0].at - start,
            .in_a_move = in_a_move || heard[0].in_a_move};
}

constexpr Event events[] = {
    {'s', "self", always, send_to_self},
    {'o', "other", other_there, send_one_way},
    {'b', "round-trip", other_there, send_round_trip},
    {'t', "timer", always, wait_for_timer},
    {'x', "back-end", store_there, ask_store},
};

} // namespace

void events_init()
{
    set_interrupt_handler(kVector, upcall);
    set_interrupt_handler(kAlarmVector, alarm);
    timers_clock = read_clock(shared_info().vcpu_info[0]);
    const std::intptr_t set =
        set_hvm_param(abi::HVM_PARAM_CALLBACK_IRQ,
                      abi::HVM_PARAM_CALLBACK_TYPE_VECTOR
                              << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT |
                          kVector);
    if (set != 0) {
        fail("setting the callback returned ", set);
    }
    const std::uint32_t second = other_there() ? 1 : 0;
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
    const std::uint64_t port = get_param(abi::HVM_PARAM_STORE_EVTCHN);
    if (port != 0 && port <= 63) {
        port_of_store = static_cast<std::uint32_t>(port);
        (void)unmask(port_of_store);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
        store = reinterpret_cast<volatile abi::xenstore_domain_interface *>(
            get_param(abi::HVM_PARAM_STORE_PFN) * abi::kPageSize);
    }
}

const Event *event(char letter)
{
    for (const Event &one : events) {
        if (one.letter == letter) {
            return &one;
        }
    }
    return nullptr;
}

void pause_at_random()
{
    const std::uint32_t ticks =
        kShortestPause + random_below(kLongestPause - kShortestPause);
    const std::uint64_t end = rdtsc() + ticks;
    lapic_alarm(kAlarmVector, ticks);
    while (rdtsc() < end) {
        halt_once();
    }
}

std::intptr_t register_area(std::uint32_t cpu)
{
    return register_vcpu_info(cpu, &areas[cpu]);
}

} // namespace xovl::guest
