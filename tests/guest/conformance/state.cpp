// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.hpp"

#include <cstring>

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "interrupts.hpp"
#include "lapic.hpp"
#include "report.hpp"
#include "selectors.h"
#include "shared_info.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

Options options;
Page home, page_a, page_b;
FirstSight first_sight;

namespace
{

constexpr std::uint8_t kUpcallVectorNumber = 0xe0;

// Where the callback's level arrives. A GSI that no ISA or PCI device has; for
// INTx, the VMM routes the host bridge's pin to one of several.
constexpr unsigned kGsiPin = 20;
constexpr unsigned kIntxPins[] = {5, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23};
constexpr std::uint64_t kHostBridgeIntA = 0;

// What Linux sets when upcalls come by vectors of the vCPUs: the toolstack
// wants to see something there.
constexpr std::uint64_t kEnlightened = 1;

Page *place = &home;
bool mapped;
bool set;
volatile std::uint32_t upcall_counts[MAX_CPUS];
Registration registrations[MAX_CPUS];
Page areas[MAX_CPUS];

void upcall(unsigned)
{
    const Cpu &cpu = this_cpu();
    upcall_counts[cpu.id] = upcall_counts[cpu.id] + 1;
    if (volatile VcpuInfo *const mine = vcpu_info(cpu)) {
        mine->evtchn_upcall_pending = 0;
    }
    if (options.delivery != kVector) {
        lapic_end_of_interrupt();
    }
}

std::uint64_t callback_value()
{
    switch (options.delivery) {
    case kVector:
        return abi::HVM_PARAM_CALLBACK_TYPE_VECTOR
                   << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT |
               kUpcallVectorNumber;
    case kUpcallVector:
        return kEnlightened;
    case kGsi:
        return kGsiPin;
    default:
        return abi::HVM_PARAM_CALLBACK_TYPE_PCI_INTX
                   << abi::HVM_PARAM_CALLBACK_TYPE_SHIFT |
               kHostBridgeIntA;
    }
}

std::intptr_t prepare_delivery()
{
    set_interrupt_handler(kUpcallVectorNumber, upcall);
    const std::uint32_t first = this_cpu().apic_id;
    if (options.delivery == kGsi) {
        ioapic_route(kGsiPin, kUpcallVectorNumber, first);
    } else if (options.delivery == kIntx) {
        for (const unsigned pin : kIntxPins) {
            ioapic_route(pin, kUpcallVectorNumber, first);
        }
    } else if (options.delivery == kUpcallVector) {
        for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
            const std::intptr_t result =
                cpu(id) ? set_upcall_vector(id, kUpcallVectorNumber) : 0;
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

void copy(VcpuInfo &to, const volatile VcpuInfo &from)
{
    std::memcpy(&to, const_cast<const VcpuInfo *>(&from), sizeof(to));
}

// The default slot's architecture-specific part is for PV guests: a mark there
// disturbs nobody.
void plant_mark(const Cpu &cpu)
{
    Registration &mine = registration(cpu);
    mine.mark = 0x4d41524b + cpu.id;
    if (volatile VcpuInfo *const slot = default_slot(cpu)) {
        slot->arch.pad[0] = mine.mark;
        slot->evtchn_pending_sel = 0;
        slot->evtchn_upcall_pending = 0;
    }
}

// Everything but zeroes, which an area must not be found to hold by chance.
void soil(const Cpu &cpu)
{
    for (volatile Word &word : area_page(cpu).words) {
        word = static_cast<Word>(0xa5a5a5a5a5a5a5a5);
    }
}

void register_here(Cpu &cpu)
{
    Registration &mine = registration(cpu);
    mine.result =
        register_vcpu_info(cpu.id, area_page(cpu).frame(), kAreaOffset);
    copy(mine.area, area(cpu));
    mine.done = mine.result == 0;
}

volatile Word &pending_word(std::uint32_t port)
{
    return info().evtchn_pending[port / kWordBits];
}

volatile Word &mask_word(std::uint32_t port)
{
    return info().evtchn_mask[port / kWordBits];
}

constexpr Word bit(std::uint32_t port)
{
    return Word{1} << port % kWordBits;
}

void atomic_or(volatile Word &word, Word bits)
{
    __atomic_or_fetch(&word, bits, __ATOMIC_SEQ_CST);
}

void atomic_clear(volatile Word &word, Word bits)
{
    __atomic_and_fetch(&word, ~bits, __ATOMIC_SEQ_CST);
}

} // namespace

std::intptr_t map_at(Page &page)
{
    const std::intptr_t result = map_shared_info(&page);
    if (result == 0) {
        place = &page;
        mapped = true;
    }
    return result;
}

std::intptr_t unmap()
{
    const std::intptr_t result = remove_from_physmap(place->frame());
    if (result == 0) {
        mapped = false;
    }
    return result;
}

Page &info_page()
{
    return *place;
}

volatile SharedInfo &info()
{
    return reinterpret_cast<volatile SharedInfo &>(*place);
}

bool at_home(Item &item)
{
    if (mapped && place == &home) {
        return true;
    }
    return item.equal("mapping shared_info at home", map_at(home), 0);
}

bool set_up(Item &item)
{
    if (!at_home(item)) {
        return false;
    }
    if (!set) {
        set = item.equal("HVMOP_set_evtchn_upcall_vector", prepare_delivery(),
                         0) &&
              item.equal("setting HVM_PARAM_CALLBACK_IRQ", set_callback(), 0);
    }
    return set;
}

void look_first(bool with_early_event)
{
    FirstSight &sight = first_sight;
    if (with_early_event) {
        sight.early_port = bind_ipi(0);
        if (sight.early_port > 0) {
            sight.early_sent =
                send(static_cast<std::uint32_t>(sight.early_port));
        }
    }
    const std::intptr_t result = map_at(home);
    if (result != 0) {
        print("first map returned ", result, "\n");
        return;
    }
    sight.time_version = default_slot(this_cpu())->time.version;
    for (std::size_t i = 0; i < kPageWords; ++i) {
        sight.page[i] = home.words[i];
    }
    const auto &time = default_slot(this_cpu())->time;
    time_set_scale(time.tsc_to_system_mul, time.tsc_shift);
    if (sight.early_port > 0) {
        const auto port = static_cast<std::uint32_t>(sight.early_port);
        sight.early_pending = pending(port);
        close_port(port);
        clear_pending(port);
    }
    if (prepare_delivery() == 0) {
        set = set_callback() == 0;
    }
    for (unsigned i = 0; i < kWordBits; ++i) {
        sight.pending[i] = info().evtchn_pending[i];
    }
    sight.seen = true;
}

std::intptr_t set_callback()
{
    return set_hvm_param(abi::HVM_PARAM_CALLBACK_IRQ, callback_value());
}

std::intptr_t set_callback_as_32_bit()
{
    const abi::xen_hvm_param argument{.domid = abi::DOMID_SELF,
                                      .pad = 0,
                                      .index = abi::HVM_PARAM_CALLBACK_IRQ,
                                      .value = callback_value()};
    return hypercall_as_32_bit(abi::HYPERVISOR_hvm_op, abi::HVMOP_set_param,
                               address_of(argument));
}

bool upcalls_reach(const Cpu &cpu)
{
    return cpu.id == 0 || options.delivery == kVector ||
           options.delivery == kUpcallVector;
}

std::uint32_t upcalls(const Cpu &cpu)
{
    return upcall_counts[cpu.id];
}

volatile VcpuInfo *default_slot(const Cpu &cpu)
{
    return cpu.id < abi::kLegacyMaxVcpus ? &info().vcpu_info[cpu.id] : nullptr;
}

volatile VcpuInfo *vcpu_info(const Cpu &cpu)
{
    return registrations[cpu.id].done ? &area(cpu) : default_slot(cpu);
}

Registration &registration(const Cpu &cpu)
{
    return registrations[cpu.id];
}

void register_by_itself(Item &item, Cpu &cpu)
{
    const bool done = run_on(cpu, [&cpu] {
        plant_mark(cpu);
        soil(cpu);
        Registration &mine = registration(cpu);
        mine.by_itself = true;
        mine.stopped = false;
        const std::uint32_t before = upcalls(cpu);
        register_here(cpu);
        if (mine.done && upcalls_reach(cpu)) {
            // The first, and a while for those that should not come.
            (void)wait_until(kUpcallMs, [&] {
                let_interrupts_in();
                return upcalls(cpu) != before;
            });
            (void)wait_until(kUpcallMs / 10, [&] {
                let_interrupts_in();
                return false;
            });
        }
        mine.upcalls = upcalls(cpu) - before;
    });
    item.that("the vCPU that registers comes back", done);
}

void register_from_here(Cpu &cpu, bool stopped)
{
    plant_mark(cpu);
    soil(cpu);
    registration(cpu).by_itself = false;
    registration(cpu).stopped = stopped;
    register_here(cpu);
}

Page &area_page(const Cpu &cpu)
{
    return areas[cpu.id];
}

volatile VcpuInfo &area(const Cpu &cpu)
{
    return *reinterpret_cast<volatile VcpuInfo *>(
        reinterpret_cast<Word>(&areas[cpu.id]) + kAreaOffset);
}

Cpu *unregistered(Item &item, std::uint32_t from, std::uint32_t to)
{
    for (std::uint32_t id = from; id < to && id < cpu_ids(); ++id) {
        if (Cpu *const found = cpu(id); found && !registrations[id].done) {
            return found;
        }
    }
    item.skip("needs a vCPU of ", from, " to ", to - 1,
              " that has not registered");
    return nullptr;
}

Cpu *registered(Item &item)
{
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        if (cpu(id) && registrations[id].done && registrations[id].by_itself) {
            return cpu(id);
        }
    }
    Cpu *const found = unregistered(item);
    if (found) {
        register_by_itself(item, *found);
        if (!item.equal("registering", registration(*found).result, 0)) {
            return nullptr;
        }
    }
    return found;
}

void forget_everything()
{
    mapped = false;
    set = false;
    for (Registration &one : registrations) {
        one = {};
    }
}

Port::Port(const Cpu &cpu) : number_{bind_ipi(cpu.id)}
{
    if (number_ > 0) {
        clear();
    }
}

Port::~Port()
{
    if (number_ > 0) {
        close_port(number());
        clear_pending(number());
    }
}

bool Port::bound(Item &item) const
{
    return number_ > 0 ||
           item.fail("got=", number_, " want=positive: EVTCHNOP_bind_ipi");
}

bool Port::pending() const
{
    return guest::pending(number());
}

void Port::clear() const
{
    clear_pending(number());
    set_masked(number(), false);
}

bool pending(std::uint32_t port)
{
    return (pending_word(port) & bit(port)) != 0;
}

void clear_pending(std::uint32_t port)
{
    atomic_clear(pending_word(port), bit(port));
}

void set_masked(std::uint32_t port, bool masked)
{
    if (masked) {
        atomic_or(mask_word(port), bit(port));
    } else {
        atomic_clear(mask_word(port), bit(port));
    }
}

bool masked(std::uint32_t port)
{
    return (mask_word(port) & bit(port)) != 0;
}

void quiet(const Cpu &cpu)
{
    if (volatile VcpuInfo *const mine = vcpu_info(cpu)) {
        mine->evtchn_pending_sel = 0;
        mine->evtchn_upcall_pending = 0;
    }
}

bool event_arrives(Item &item, Cpu &cpu, volatile VcpuInfo &place)
{
    const Port port(cpu);
    if (!port.bound(item)) {
        return false;
    }
    std::intptr_t sent = 0;
    bool seen = false, delivered = false;
    Word selector = 0;
    std::uint8_t flag = 0;
    const bool done = run_on(cpu, [&] {
        // An upcall that is on its way already is not the one that counts.
        quiet(cpu);
        let_interrupts_in();
        quiet(cpu);
        const std::uint32_t before = upcalls(cpu);
        sent = send(port.number());
        seen = port.pending();
        selector = place.evtchn_pending_sel;
        flag = place.evtchn_upcall_pending;
        delivered = !upcalls_reach(cpu) || wait_until(kUpcallMs, [&] {
            let_interrupts_in();
            return upcalls(cpu) != before;
        });
        quiet(cpu);
    });
    const Word want = Word{1} << port.number() / kWordBits;
    return item.that("the vCPU comes back from sending", done) &&
           item.equal("EVTCHNOP_send", sent, 0) &&
           item.that("the event is pending in shared_info", seen) &&
           item.equal_bits("evtchn_pending_sel", selector & want, want) &&
           item.equal("evtchn_upcall_pending", flag, 1) &&
           item.that("the upcall comes", delivered);
}

std::uint32_t Random::below(std::uint32_t limit)
{
    // Knuth's MMIX generator; the upper half is the better one.
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::uint32_t>(state_ >> 33) % limit;
}

} // namespace xovl::guest
