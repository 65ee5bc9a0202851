// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: that no event is lost, none comes twice, and every timer goes on,
// whatever is done to the machine meanwhile: migration, snapshots, pauses.
//
// Theory: a port has one bit, so events that are sent before the last one was
// heard cannot be counted. What can be is one event that is on its way, and
// is sent on by whom it reaches. There is one such ball for each distance from
// a vCPU to another; ball 0 goes to where it came from. A ball that is lost
// rests for ever, and one that comes when it was not sent, or to whom it was
// not sent, is noticed. All is done by interrupt handlers: between two events
// a vCPU halts, and an event that is lost leaves it halted.
//
// Each vCPU has a timer as well, set anew each time it fires.
//
// Some ports are masked, and have events pending: a pattern, which must stay.
// With many ports, they are those whose words in shared_info are those that
// the 32-bit layout has the wallclock in.
//
// Method: commands of one letter come on COM1:
//   g  the balls and timers go; answers GOING
//   s  they are brought to rest and counted; answers
//      TOTAL sent=N heard=N ticks=N outside=N
//      where outside is what was heard on the port "outside" that READY named,
//      and ticks is of all vCPUs. Each must have ticked since "g", and once
//      more when the balls rest and nothing else calls
//   c  with gsi=N: the callback is the vector instead, or the pin again;
//      answers CALLBACK pin=0 or 1
//   p  the last vCPU waits for a port by SCHEDOP_poll, without a time limit:
//      if it is the only one, for its timer; else vCPU 0 closes another port
//      meanwhile, and sends to that one then. Answers POLLED
//   u  the masked ports are let through, and must all be heard
//   q  the end
//
// Options: cpus=N (that there are), ports=N (to have bound before those that
// are used), own=SET (vCPUs that register a vcpu_info), gsi=N (called by
// that pin; for one vCPU), vector=1 (with gsi=N: not from the start), upcall=1
// (called by a vector of each vCPU's own)
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
#include "lapic.hpp"
#include "report.hpp"
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
constexpr std::size_t kPorts = 4096;
constexpr std::size_t kWords = kPorts / 64;
constexpr std::uint32_t kMaxCpus = 8;

// Of a timer; long enough for the balls to have most of the time.
constexpr std::uint64_t kPeriod = 20000000;
// How long all may take to come to rest, or a vCPU to tick.
constexpr std::uint32_t kRestMs = 20000;

enum class Use : std::uint8_t { None, Ball, Timer, Outside, Masked };

struct Port {
    Use use;
    std::uint8_t ball;
};

struct Ball {
    volatile std::uint64_t sent;
    volatile std::uint64_t heard;
    volatile std::uint32_t at; // vCPU
    volatile bool under_way;
    std::uint32_t ports[kMaxCpus];
};

alignas(abi::kPageSize) volatile std::byte page[abi::kPageSize];
alignas(64) abi::VcpuInfo64 own_areas[kMaxCpus];

Port uses[kPorts];
std::uint64_t mine[kMaxCpus][kWords]; // which ports a vCPU hears
Ball balls[kMaxCpus];
volatile std::uint64_t ticks[kMaxCpus];
volatile bool timer_set[kMaxCpus];
volatile std::uint64_t outside;
volatile std::uint64_t let_through;
volatile std::uint64_t strays; // events that nobody had sent
volatile bool going;

std::uint32_t cpus;
std::uint32_t outside_port;
std::uint32_t timer_ports[kMaxCpus];
std::uint64_t own;
std::uint64_t gsi;
bool by_pin;
volatile bool ends_interrupts;
bool masked = true;
std::uint64_t masked_ports;

abi::SharedInfo64 &shared_info()
{
    return const_cast<abi::SharedInfo64 &>(
        reinterpret_cast<volatile abi::SharedInfo64 &>(page));
}

abi::VcpuInfo64 &area(std::uint32_t cpu)
{
    return (own >> cpu & 1) != 0 ? own_areas[cpu]
                                 : shared_info().vcpu_info[cpu];
}

void throw_ball(Ball &ball, std::uint32_t to)
{
    ball.at = to;
    ball.sent = ball.sent + 1;
    ball.under_way = true;
    if (const std::intptr_t result = send(ball.ports[to]); result != 0) {
        fail("a send returned ", result);
    }
}

void set_timer(std::uint32_t cpu)
{
    const abi::vcpu_set_singleshot_timer argument{
        .timeout_abs_ns = read_clock(area(cpu)).at(rdtsc()) + kPeriod,
        .flags = 0};
    timer_set[cpu] = true;
    const std::intptr_t result =
        hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_set_singleshot_timer,
                  cpu, address_of(argument));
    if (result != 0) {
        fail("setting the timer of vCPU ", cpu, " returned ", result);
    }
}

void hear(std::uint32_t cpu, std::uint32_t number)
{
    const Port port = uses[number];
    switch (port.use) {
    case Use::Ball: {
        Ball &ball = balls[port.ball];
        if (!ball.under_way || ball.at != cpu) {
            strays = strays + 1;
            return;
        }
        ball.under_way = false;
        ball.heard = ball.heard + 1;
        if (going) {
            throw_ball(ball, (cpu + port.ball) % cpus);
        }
        return;
    }
    case Use::Timer:
        timer_set[cpu] = false;
        ticks[cpu] = ticks[cpu] + 1;
        if (going) {
            set_timer(cpu);
        }
        return;
    case Use::Outside:
        outside = outside + 1;
        return;
    case Use::Masked:
        let_through = let_through + 1;
        return;
    case Use::None:
        strays = strays + 1;
        return;
    }
}

void upcall(unsigned)
{
    const std::uint32_t cpu = cpu_number();
    abi::VcpuInfo64 &info = area(cpu);
    if (ends_interrupts) {
        lapic_end_of_interrupt();
    }
    __atomic_store_n(&info.evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    std::uint64_t words =
        __atomic_exchange_n(&info.evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (std::uint32_t word = 0; words != 0; ++word, words >>= 1) {
        if ((words & 1) == 0) {
            continue;
        }
        std::uint64_t bits =
            mine[cpu][word] & ~__atomic_load_n(&shared_info().evtchn_mask[word],
                                               __ATOMIC_SEQ_CST);
        bits &= __atomic_fetch_and(&shared_info().evtchn_pending[word], ~bits,
                                   __ATOMIC_SEQ_CST);
        for (std::uint32_t bit = 0; bits != 0; ++bit, bits >>= 1) {
            if ((bits & 1) != 0) {
                hear(cpu, word * 64 + bit);
            }
        }
    }
}

std::uint32_t bound(std::intptr_t answer, Use use, std::uint32_t cpu,
                    std::uint8_t ball = 0)
{
    if (answer <= 0 || answer >= static_cast<std::intptr_t>(kPorts)) {
        fail("binding a port returned ", answer);
    }
    const auto port = static_cast<std::uint32_t>(answer);
    uses[port] = {use, ball};
    mine[cpu][port / 64] |= std::uint64_t{1} << port % 64;
    return port;
}

void must_unmask(std::uint32_t port)
{
    if (const std::intptr_t result = unmask(port); result != 0) {
        fail("unmasking port ", port, " returned ", result);
    }
}

bool is_pending(std::uint32_t port)
{
    return (__atomic_load_n(&shared_info().evtchn_pending[port / 64],
                            __ATOMIC_SEQ_CST) >>
                port % 64 &
            1) != 0;
}

// Whether a masked port is to have an event.
bool in_pattern(std::uint32_t port)
{
    return port * 7 % 3 == 0;
}

void check_pattern()
{
    for (std::uint32_t port = 1; port < kPorts; ++port) {
        if (uses[port].use != Use::Masked) {
            continue;
        }
        const bool pending = is_pending(port);
        if (pending != in_pattern(port)) {
            fail("port ", port, " is ", pending ? "" : "not ", "pending");
        }
    }
}

void bind_ports(std::uint32_t fill)
{
    for (std::uint64_t &word : shared_info().evtchn_mask) {
        __atomic_store_n(&word, ~std::uint64_t{0}, __ATOMIC_SEQ_CST);
    }
    for (std::uint32_t last = 0; last < fill;) {
        const std::uint32_t cpu = last % cpus;
        last = bound(bind_ipi(cpu), Use::Masked, cpu);
        if (in_pattern(last)) {
            ++masked_ports;
            (void)send(last);
        }
    }
    for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
        for (std::uint32_t ball = 0; ball < cpus; ++ball) {
            balls[ball].ports[cpu] = bound(bind_ipi(cpu), Use::Ball, cpu,
                                           static_cast<std::uint8_t>(ball));
            must_unmask(balls[ball].ports[cpu]);
        }
        timer_ports[cpu] =
            bound(bind_virq(abi::VIRQ_TIMER, cpu), Use::Timer, cpu);
        must_unmask(timer_ports[cpu]);
    }
    outside_port = bound(bind_ipi(cpus - 1), Use::Outside, cpus - 1);
    must_unmask(outside_port);
}

void register_areas()
{
    for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
        if ((own >> cpu & 1) == 0) {
            continue;
        }
        if (const std::intptr_t result =
                register_vcpu_info(cpu, &own_areas[cpu]);
            result != 0) {
            fail("registration of vCPU ", cpu, " returned ", result);
        }
    }
}

void set_upcall_vectors()
{
    for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
        if (const std::intptr_t result = set_upcall_vector(cpu, kVector);
            result != 0) {
            fail("an upcall vector was answered by ", result);
        }
    }
    ends_interrupts = true;
}

void set_callback(bool pin)
{
    // An interrupt of the local APIC's that is not ended blocks all that
    // follow; one ended too often does no harm.
    ends_interrupts = ends_interrupts || pin;
    by_pin = pin;
    const std::uint64_t type = pin ? abi::HVM_PARAM_CALLBACK_TYPE_GSI
                                   : abi::HVM_PARAM_CALLBACK_TYPE_VECTOR;
    const std::intptr_t set = set_hvm_param(
        abi::HVM_PARAM_CALLBACK_IRQ,
        type << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT | (pin ? gsi : kVector));
    if (set != 0) {
        fail("setting the callback returned ", set);
    }
}

template <typename Condition>
[[nodiscard]] bool listen_until(Condition condition)
{
    const Deadline deadline(kRestMs);
    while (!condition()) {
        if (deadline.passed()) {
            return condition();
        }
        let_interrupts_in();
    }
    return true;
}

// While vCPU 0 waits for a command it hears events, too.
char next_command()
{
    constexpr std::uint16_t kLineStatus = 0x3fd;
    constexpr std::uint8_t kDataReady = 1;
    while ((inb(kLineStatus) & kDataReady) == 0) {
        // Each look is an exit to QEMU, which has better things to do.
        for (unsigned n = 0; n < 50; ++n) {
            spin(1000);
            let_interrupts_in();
        }
    }
    return console_read_byte();
}

std::uint64_t ticks_before[kMaxCpus];

void go()
{
    going = true;
    for (std::uint32_t n = 0; n < cpus; ++n) {
        throw_ball(balls[n], n);
        ticks_before[n] = ticks[n];
        Cpu *const at = cpu(n);
        if (!at || !run_on(*at, [n] { set_timer(n); })) {
            error("vCPU ", n, " does not work");
        }
    }
    print("GOING\n");
}

void rest()
{
    for (std::uint32_t n = 0; n < cpus; ++n) {
        const std::uint64_t before = ticks[n];
        if (!listen_until([=] { return ticks[n] != before; })) {
            fail("the timer of vCPU ", n, " is silent after ",
                 before - ticks_before[n], " ticks");
        }
    }
    going = false;
    std::uint64_t sent = 0;
    std::uint64_t heard = 0;
    std::uint64_t all_ticks = 0;
    for (std::uint32_t n = 0; n < cpus; ++n) {
        Ball &ball = balls[n];
        if (!listen_until([&] { return !ball.under_way; })) {
            fail("ball ", n, " was sent ", ball.sent, " times and heard ",
                 ball.heard, " times; vCPU ", ball.at, " did not hear port ",
                 ball.ports[ball.at]);
        }
        sent += ball.sent;
        heard += ball.heard;
    }
    // Nothing else calls any more, and a timer still does.
    for (std::uint32_t n = 0; n < cpus; ++n) {
        if (!listen_until([=] { return !timer_set[n]; })) {
            fail("the timer of vCPU ", n, " does not go off by itself");
        }
        all_ticks += ticks[n];
    }
    if (strays != 0) {
        fail(strays, " events came that nobody had sent");
    }
    if (masked) {
        check_pattern();
    }
    print("TOTAL sent=", sent, " heard=", heard, " ticks=", all_ticks,
          " outside=", outside, "\n");
}

// Until the port, which is masked, has an event: a poll may end at any time.
void poll_for(std::uint32_t port)
{
    while (!is_pending(port)) {
        if (const std::intptr_t result = poll(port); result != 0) {
            fail("a poll returned ", result);
        }
    }
}

void poll_for_timer()
{
    const std::uint32_t port = timer_ports[0];
    __atomic_fetch_or(&shared_info().evtchn_mask[port / 64],
                      std::uint64_t{1} << port % 64, __ATOMIC_SEQ_CST);
    set_timer(0);
    poll_for(port);
    must_unmask(port);
}

void poll_while_a_port_is_closed(Cpu &poller)
{
    constexpr std::uint32_t kUntilItPollsMs = 100;
    const std::intptr_t port = bind_ipi(poller.id);
    const std::intptr_t other = bind_ipi(0);
    if (port <= 0 || other <= 0) {
        fail("binding ports returned ", port, " and ", other);
    }
    auto work = [&] { poll_for(static_cast<std::uint32_t>(port)); };
    start_on(poller, work);
    wait_ms(kUntilItPollsMs);
    (void)close_port(static_cast<std::uint32_t>(other));
    (void)send(static_cast<std::uint32_t>(port));
    if (!finish_work(poller, kRestMs)) {
        fail("vCPU ", poller.id, " still polls for port ", port);
    }
    (void)close_port(static_cast<std::uint32_t>(port));
}

void poll_once()
{
    if (cpus == 1) {
        poll_for_timer();
    } else if (Cpu *const last = cpu(cpus - 1)) {
        poll_while_a_port_is_closed(*last);
    }
    print("POLLED\n");
}

void let_masked_through()
{
    for (std::uint32_t port = 1; port < kPorts; ++port) {
        if (uses[port].use == Use::Masked) {
            must_unmask(port);
        }
    }
    if (!listen_until([] { return let_through >= masked_ports; }) ||
        let_through != masked_ports) {
        fail("of ", masked_ports, " masked events ", let_through,
             " were heard when they were let through");
    }
    print("HEARD masked=", let_through, "\n");
    masked = false;
}

} // namespace

const char *guest_name()
{
    return "events";
}

void guest_main()
{
    const std::uint64_t expected = option("cpus", 1);
    const std::uint64_t ports = option("ports", 0);
    own = option_set("own", 0);
    gsi = option("gsi", 0);
    const bool by_vector = option("vector", 0) != 0;
    const bool of_each = option("upcall", 0) != 0;
    end_of_options();
    if (expected == 0 || expected > kMaxCpus || (gsi != 0 && expected > 1)) {
        error("that many CPUs cannot be");
    }
    cpus = static_cast<std::uint32_t>(expected);
    xen_init();
    set_interrupt_handler(kVector, upcall);
    if (const std::intptr_t result = map_shared_info(page); result != 0) {
        fail("mapping shared_info returned ", result);
    }
    if (smp_init(cpus) != cpus) {
        error("not all CPUs are there");
    }
    const auto &time = shared_info().vcpu_info[0].time;
    time_set_scale(time.tsc_to_system_mul, time.tsc_shift);
    register_areas();
    if (gsi != 0) {
        ioapic_route(static_cast<unsigned>(gsi), kVector, lapic_id());
    }
    if (of_each) {
        set_upcall_vectors();
    }
    set_callback(gsi != 0 && !by_vector);
    bind_ports(static_cast<std::uint32_t>(ports));
    print("READY outside=", outside_port, " masked=", masked_ports, "\n");
    for (;;) {
        switch (next_command()) {
        case 'g':
            go();
            break;
        case 's':
            rest();
            break;
        case 'c':
            if (gsi == 0) {
                error("it has no pin");
            }
            set_callback(!by_pin);
            print("CALLBACK pin=", static_cast<unsigned>(by_pin), "\n");
            break;
        case 'p':
            poll_once();
            break;
        case 'u':
            let_masked_through();
            break;
        case 'q':
            pass("every event was heard once");
        default:
            error("it needs COM1, and commands there that it knows");
        }
    }
}

} // namespace xovl::guest
