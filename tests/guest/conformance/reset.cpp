// SPDX-License-Identifier: GPL-2.0-or-later
// C-16, C-36, C-37, C-42 to C-44: soft reset and reset.
//
// In Xen: xen/common/domain.c (domain_soft_reset), xen/arch/x86/domain.c
// (arch_domain_soft_reset), xen/common/event_channel.c (evtchn_reset); the
// toolstack is in between.
#include "abi/event_channel.hpp"
#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "items.hpp"
#include "reboot.hpp"
#include "shared_info.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr Word kPattern = 0x5e5e5e5e;

std::intptr_t call_soft_reset()
{
    const abi::sched_shutdown argument{abi::SHUTDOWN_soft_reset};
    const std::intptr_t result = hypercall(
        abi::HYPERVISOR_sched_op, abi::SCHEDOP_shutdown, address_of(argument));
    if (result == 0) {
        forget_everything();
    }
    return result;
}

void fill(Page &page)
{
    for (std::size_t i = 0; i < kPageWords; ++i) {
        page.words[i] = kPattern + i;
    }
}

bool intact(Item &item, const char *what, const Page &page)
{
    for (std::size_t i = 0; i < kPageWords; ++i) {
        if (!item.equal_bits(what, page.words[i], kPattern + i)) {
            return false;
        }
    }
    return true;
}

std::intptr_t register_memory_area(std::uint32_t operation, const Cpu &cpu,
                                   const volatile void *address)
{
    abi::vcpu_register_memory_area<Word> argument{};
    argument.addr.v = reinterpret_cast<Word>(address);
    return hypercall(abi::HYPERVISOR_vcpu_op, operation, cpu.id,
                     address_of(argument));
}

} // namespace

// C-16. Frame 0 is a place like any other, also when it is left: events that
// come after it do not end up in the RAM that is there then.
void soft_reset_at_zero(Item &item)
{
    constexpr unsigned kSends = 64;
    if (!set_up(item)) {
        return;
    }
    static Word before[kPageWords];
    Page &zero = page_at(0);
    for (std::size_t i = 0; i < kPageWords; ++i) {
        before[i] = zero.words[i];
    }
    if (!item.equal("mapping at frame 0", map_at(zero), 0) ||
        !item.equal("soft reset", call_soft_reset(), 0)) {
        (void)at_home(item);
        return;
    }
    fill(zero);
    for (unsigned i = 0; i < kSends; ++i) {
        const std::intptr_t port = bind_ipi(i % cpu_ids());
        if (port > 0) {
            send(static_cast<std::uint32_t>(port));
            close_port(static_cast<std::uint32_t>(port));
        }
    }
    wait_ms(50);
    intact(item, "a word at frame 0", zero);
    for (std::size_t i = 0; i < kPageWords; ++i) {
        zero.words[i] = before[i]; // the firmware's
    }
    (void)set_up(item);
    item.pass("sends=", kSends);
}

// C-36, C-37.
void host_needed(Item &item)
{
    item.skip("needs the host to stop, save or move the machine");
}

// C-42. All the guest's ports closed, the page unmapped and RAM in its place,
// registrations gone; what is in the page stays as it was.
void soft_reset(Item &item)
{
    constexpr std::uint32_t kMaskedPort = 900;
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered(item);
    Port port(this_cpu());
    if (!one || !port.bound(item)) {
        return;
    }
    set_masked(kMaskedPort, true);
    if (!item.equal("soft reset", call_soft_reset(), 0)) {
        return;
    }
    const std::uint32_t number = port.number();
    port.forget();
    const std::intptr_t status = port_status(number);
    item.that("the port is closed",
              status == abi::EVTCHNSTAT_closed || status < 0);
    item.negative("EVTCHNOP_send to it", send(number));
    fill(home);
    intact(item, "the old frame is RAM: a word of it", home);

    if (!set_up(item)) {
        return;
    }
    item.that("the mask bit is still set", masked(kMaskedPort));
    set_masked(kMaskedPort, false);
    register_by_itself(item, *one);
    if (item.equal("registering after it", registration(*one).result, 0)) {
        std::intptr_t again = 0;
        item.that("the vCPU comes back", run_on(*one, [&] {
                      again = register_vcpu_info(
                          one->id, area_page(*one).frame(), kAreaOffset);
                  }));
        item.negative("registering a second time", again);
        event_arrives(item, *one, area(*one));
    }
}

// C-43. All vCPUs' areas are let go before the hypercall returns: vcpu_info,
// runstate and time. Whatever is written to their pages from then on is the
// guest's.
void soft_reset_is_synchronous(Item &item)
{
    static Page more_areas[abi::kLegacyMaxVcpus];
    constexpr std::size_t kTimeWord = 1024 / sizeof(Word);
    const std::uint64_t rounds = options.loops / 100 + 1;
    std::uint64_t areas = 0;
    for (std::uint64_t round = 0; round < rounds && !item.settled(); ++round) {
        if (!set_up(item)) {
            return;
        }
        for (std::uint32_t id = 0; id < cpu_ids() && id < abi::kLegacyMaxVcpus;
             ++id) {
            Cpu *const one = cpu(id);
            if (!one) {
                continue;
            }
            if (!registration(*one).done) {
                register_by_itself(item, *one);
            }
            // Not all VMMs have these two; then there is nothing to let go.
            Page &page = more_areas[id];
            (void)register_memory_area(
                abi::VCPUOP_register_runstate_memory_area, *one,
                &page.words[0]);
            (void)register_memory_area(
                abi::VCPUOP_register_vcpu_time_memory_area, *one,
                &page.words[kTimeWord]);
            ++areas;
        }
        if (!item.equal("soft reset", call_soft_reset(), 0)) {
            return;
        }
        for (std::uint32_t id = 0; id < cpu_ids() && id < abi::kLegacyMaxVcpus;
             ++id) {
            if (cpu(id)) {
                fill(area_page(*cpu(id)));
                fill(more_areas[id]);
            }
        }
        fill(home);
        wait_ms(round + 1 == rounds ? 1000 : 5);
        for (std::uint32_t id = 0; id < cpu_ids() && id < abi::kLegacyMaxVcpus;
             ++id) {
            // Each runs once more, and may be written for as it does.
            if (Cpu *const one = cpu(id)) {
                item.that("the vCPU still runs", run_on(*one, [] {}));
                intact(item, "a word of the old area", area_page(*one));
                intact(item, "a word of the old runstate and time areas",
                       more_areas[id]);
            }
        }
        intact(item, "a word of the old shared_info frame", home);
    }
    (void)set_up(item);
    item.pass("resets=", rounds, " areas=", areas);
}

// C-44. A machine that was reset is a new one: the page is zero but for the
// wallclock and the times of vCPUs, and nothing else is as it was. The first
// boot leaves something to be found (traces.cpp), this one looks.
void full_reset(Item &item)
{
    if (!options.reset) {
        item.skip("needs reset=1, and a VMM that reboots a guest");
        return;
    }
    if (!rebooted()) {
        return; // it is decided by the next boot
    }
    item.that("the page was mapped at all", first_sight.seen);
    constexpr std::size_t kTimeBegin = offsetof(VcpuInfo, time) / sizeof(Word);
    constexpr std::size_t kTimeEnd =
        kTimeBegin + sizeof(abi::VcpuTimeInfo<Word>) / sizeof(Word);
    constexpr std::size_t kSlotWords = sizeof(VcpuInfo) / sizeof(Word);
    for (std::size_t i = 0; i < kPageWords; ++i) {
        const std::size_t offset = i * sizeof(Word);
        const bool slot = offset < offsetof(SharedInfo, evtchn_pending);
        const bool time =
            slot && i % kSlotWords >= kTimeBegin && i % kSlotWords < kTimeEnd;
        const bool wallclock = (offset >= 0xc00 && offset < 0xc10) ||
                               (offset >= 0x900 && offset < 0x90c) ||
                               (offset >= 0x920 && offset < 0x928);
        // VMMs' own ports of a new machine have word 0 of the pending bits.
        const bool own = offset == offsetof(SharedInfo, evtchn_pending) ||
                         offset == 0 || offset == sizeof(Word);
        if (!time && !wallclock && !own && first_sight.page[i] != 0) {
            item.fail("got=", Hex{first_sight.page[i]},
                      " want=0: fresh page, offset ", Hex{offset});
            return;
        }
    }
    if (set_up(item)) {
        look_for_traces(item, traces_of_first_boot());
    }
}

} // namespace xovl::guest
