// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces.hpp"

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "shared_info.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

// RAM that is the guest's in both boots: behind what loaders and firmware
// write, in the smallest machine there is, and behind reboot.cpp's.
constexpr Word kGrantFrame = 0x3001;
constexpr Word kAreaFrame = 0x3002;

constexpr Word kTrace = 0x7ace7ace;
constexpr std::size_t kTimeWord = 1024 / sizeof(Word);
constexpr std::size_t kLastWord = kPageWords - 1;

constexpr std::uint64_t kPeriodNs = 10'000'000;
constexpr std::uint32_t kSomePeriodsMs = 200;
constexpr std::int32_t kGsi = 5;
constexpr std::uint8_t kOldVector = 0xe1;

constexpr std::uint32_t kRings[] = {abi::HVM_PARAM_STORE_PFN,
                                    abi::HVM_PARAM_CONSOLE_PFN};

volatile std::uint32_t old_vectors;

void old_vector(unsigned)
{
    old_vectors = old_vectors + 1;
    lapic_end_of_interrupt();
}

// Nullptr where there is none.
Page *ring(std::uint32_t parameter)
{
    std::uint64_t frame = 0;
    return get_hvm_param(parameter, frame) == 0 && frame != 0
               ? &page_at(static_cast<Word>(frame))
               : nullptr;
}

void register_memory_area(std::uint32_t operation, const volatile Word &at)
{
    abi::vcpu_register_memory_area<Word> argument{};
    argument.addr.v = reinterpret_cast<Word>(&at);
    (void)hypercall(abi::HYPERVISOR_vcpu_op, operation, 0,
                    address_of(argument));
}

// The PIRQ, or the negative errno.
std::int32_t map_pirq()
{
    abi::physdev_map_pirq argument{.domid = abi::DOMID_SELF,
                                   .type = abi::MAP_PIRQ_TYPE_GSI,
                                   .index = kGsi,
                                   .pirq = -1,
                                   .bus = 0,
                                   .devfn = 0,
                                   .entry_nr = 0,
                                   .table_base = 0};
    const std::intptr_t result =
        hypercall(abi::HYPERVISOR_physdev_op, abi::PHYSDEVOP_map_pirq,
                  address_of(argument));
    return result == 0 ? argument.pirq : static_cast<std::int32_t>(result);
}

} // namespace

Traces leave_traces()
{
    Traces left{.port = static_cast<std::int32_t>(bind_ipi(0)),
                .pirq = map_pirq()};

    // A grant frame, with its last entry marked: that grant is invalid, so
    // nobody but us reads it. Nor do rings reach to the end of their pages.
    if (add_to_physmap(abi::XENMAPSPACE_grant_table, 0, kGrantFrame) == 0) {
        page_at(kGrantFrame).words[kLastWord] = kTrace;
    }
    for (const std::uint32_t parameter : kRings) {
        if (Page *const page = ring(parameter)) {
            page->words[kLastWord] = kTrace;
        }
    }

    Page &areas = page_at(kAreaFrame);
    register_memory_area(abi::VCPUOP_register_runstate_memory_area,
                         areas.words[0]);
    register_memory_area(abi::VCPUOP_register_vcpu_time_memory_area,
                         areas.words[kTimeWord]);

    const abi::vcpu_set_periodic_timer timer{kPeriodNs};
    (void)hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_set_periodic_timer, 0,
                    address_of(timer));
    (void)set_upcall_vector(0, kOldVector);

    // Last of all: what it says is gone.
    for (volatile Word &word : info_page().words) {
        word = kTrace;
    }
    return left;
}

void look_for_traces(Item &item, const Traces &left)
{
    item.that("no grant frame is where one was",
              page_at(kGrantFrame).words[kLastWord] != kTrace);
    for (const std::uint32_t parameter : kRings) {
        if (const Page *const page = ring(parameter)) {
            item.equal_bits("the end of a ring's page", page->words[kLastWord],
                            0);
        }
    }
    const std::intptr_t status =
        port_status(static_cast<std::uint32_t>(left.port));
    item.that("the port is closed",
              left.port < 0 || status == abi::EVTCHNSTAT_closed || status < 0);
    // Given out by the same rule, from the same beginning.
    item.equal("the first PIRQ", map_pirq(), left.pirq);

    // Whatever is written to the old areas, and for a timer, happens while
    // the vCPU runs.
    Page &areas = page_at(kAreaFrame);
    for (volatile Word &word : areas.words) {
        word = kTrace;
    }
    set_interrupt_handler(kOldVector, old_vector);
    const std::intptr_t ticks = bind_virq(abi::VIRQ_TIMER, 0);
    if (ticks > 0) {
        clear_pending(static_cast<std::uint32_t>(ticks));
    }
    wait_ms(kSomePeriodsMs);
    if (ticks > 0) {
        item.that("no timer ticks",
                  !pending(static_cast<std::uint32_t>(ticks)));
        close_port(static_cast<std::uint32_t>(ticks));
    }
    for (const volatile Word &word : areas.words) {
        item.equal_bits("a word of the old runstate and time areas", word,
                        kTrace);
    }
    event_arrives(item, this_cpu(), *vcpu_info(this_cpu()));
    item.equal("upcalls by the vector that was", old_vectors, 0);
}

} // namespace xovl::guest
