// SPDX-License-Identifier: GPL-2.0-or-later
// C-19 to C-34: a vCPU's slot in shared_info, and an area of its own instead.
//
// In Xen: xen/common/domain.c (vcpu_info_reset, common_vcpu_op, map_guest_area
// from 4.18 on, map_vcpu_info before, vcpu_info_populate).
#include <cstring>

#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "items.hpp"
#include "selectors.h"
#include "start_info.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::intptr_t kEnoent = -2;
constexpr std::intptr_t kEnxio = -6;
constexpr std::intptr_t kEfault = -14;
constexpr std::intptr_t kEbusy = -16;
constexpr std::intptr_t kEinval = -22;

// More vCPUs than that, HVM guests cannot have.
constexpr std::uint32_t kNoVcpu = 1000;

constexpr Word kHpetFrame = 0xfed00;
constexpr Word kIoapicFrame = 0xfec00;

bool since(std::uint32_t major, std::uint32_t minor)
{
    return xen_version() >= xen_release(major, minor);
}

// The table of -EINVAL, -ENXIO and -EBUSY: map_guest_area() in 4.18 (d03ba9de)
// sorted the codes out, 4.16 had begun with -ENXIO.
std::intptr_t already_registered()
{
    return since(4, 18) ? kEbusy : kEinval;
}

std::intptr_t bad_offset()
{
    return since(4, 16) ? kEnxio : kEinval;
}

// What an area must look like as soon as the call has returned: everything
// pending, since nobody knows what was missed meanwhile.
void check_marked_pending(Item &item, const VcpuInfo &area)
{
    item.equal_bits("evtchn_pending_sel", area.evtchn_pending_sel, kAllOnes);
    item.equal("evtchn_upcall_pending", area.evtchn_upcall_pending, 1);
}

void check_time(Item &item, const VcpuInfo &area)
{
    item.that("time.version is not 0", area.time.version != 0);
    item.that("time.version is even", area.time.version % 2 == 0);
    item.that("tsc_to_system_mul is not 0", area.time.tsc_to_system_mul != 0);
}

// A registration that must not work, and must have no effect.
void refused(Item &item, const char *what, Cpu &cpu, std::uint64_t frame,
             std::uint32_t offset, std::intptr_t want)
{
    std::intptr_t result = 0;
    const bool done = run_on(
        cpu, [&] { result = register_vcpu_info(cpu.id, frame, offset); });
    item.that("the vCPU comes back", done);
    if (want != 0) {
        item.equal(what, result, want);
    } else {
        item.negative(what, result);
    }
    if (result == 0) {
        // It has an area now that nobody looks at. That vCPU is lost for
        // whatever needs one that has not registered.
        registration(cpu).done = true;
    }
}

Cpu *registered_stopped(Item &item)
{
    for (std::uint32_t id = 1; id < cpu_ids(); ++id) {
        Cpu *const found = cpu(id);
        if (found && registration(*found).done &&
            registration(*found).stopped) {
            return found;
        }
    }
    Cpu *const found = unregistered(item);
    if (found) {
        stop(*found);
        register_from_here(*found, true);
        item.that("the vCPU starts after it", start(*found));
        item.equal("registering a stopped vCPU", registration(*found).result,
                   0);
    }
    return item.settled() ? nullptr : found;
}

// For what reaches vCPU 0 only, it is vCPU 0 that has to register.
Cpu *registered_with_upcall(Item &item)
{
    Cpu *const first = cpu(0);
    if (options.delivery == kVector || options.delivery == kUpcallVector) {
        return registered(item);
    }
    if (!registration(*first).done) {
        register_by_itself(item, *first);
        item.equal("registering", registration(*first).result, 0);
    }
    return item.settled() ? nullptr : first;
}

} // namespace

// C-19. vcpu_info_reset: slot i of the page for vCPU i < 32, from the creation
// of the vCPU on. The time of a running vCPU is there as soon as the page is.
void default_slots(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    item.that("the page was mapped at all", first_sight.seen);
    item.that("time.version of vCPU 0 right after the first map is not 0",
              first_sight.time_version != 0);
    item.that("and is even", first_sight.time_version % 2 == 0);
    unsigned slots = 0;
    for (std::uint32_t id = 0; id < cpu_ids() && id < abi::kLegacyMaxVcpus;
         ++id) {
        Cpu *const one = cpu(id);
        if (one && !registration(*one).done &&
            event_arrives(item, *one, *default_slot(*one))) {
            ++slots;
        }
    }
    item.pass("slots=", slots);
}

// C-20. vcpu_info_populate copies the 64 bytes, and then everything is marked
// pending.
void register_self(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered(item);
    if (!one) {
        return;
    }
    const Registration &seen = registration(*one);
    item.equal_bits("the mark from the default slot", seen.area.arch.pad[0],
                    seen.mark);
    check_marked_pending(item, seen.area);
    event_arrives(item, *one, area(*one));
}

// C-21. vcpu_mark_events_pending: where the flag was 0 before, the upcall is
// raised. Once: nothing asks for a second.
void register_raises_upcall(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered_with_upcall(item);
    if (!one) {
        return;
    }
    const std::uint32_t got = registration(*one).upcalls;
    const bool level = options.delivery == kGsi || options.delivery == kIntx;
    // A level goes down when the VMM next looks, which may be one too late.
    if (level ? got == 0 : got != 1) {
        item.fail("got=", got, " want=1: upcalls after registration");
    }
    item.pass("upcalls=", got);
}

// C-22. Once only; there is no way to take it back but a soft reset.
void register_twice(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered(item);
    if (!one) {
        return;
    }
    refused(item, "registering the same place again", *one,
            area_page(*one).frame(), kAreaOffset, already_registered());
    static Page other;
    refused(item, "registering another place", *one, other.frame(), 0,
            already_registered());
    event_arrives(item, *one, area(*one));
}

// C-23. The area must lie in one page.
void register_across_pages(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    if (Cpu *const one = unregistered(item)) {
        refused(item, "registering at offset 4096-63", *one,
                area_page(*one).frame(), abi::kPageSize - 63, bad_offset());
        event_arrives(item, *one, *default_slot(*one));
    }
}

// C-24. XSA-327 (3fdc211b01): aligned as the latched width aligns it. A 32-bit
// guest's areas here are at a multiple of 4 that is none of 8.
void register_misaligned(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    if (sizeof(Word) == 4) {
        if (registered(item)) {
            item.pass("offset ", Hex{kAreaOffset}, " is accepted");
        }
    }
    Cpu *const one = unregistered(item);
    if (!one) {
        return;
    }
    if (!since(4, 14)) {
        // Some of these versions refuse it, and a VMM may always.
        item.skip("Xen before 4.14 may accept any alignment");
        return;
    }
    refused(item, "registering at offset 4", *one, area_page(*one).frame(), 4,
            bad_offset());
    event_arrives(item, *one, *default_slot(*one));
}

// C-25. get_page_from_gfn finds no page.
void register_at_hole(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    if (Cpu *const one = unregistered(item)) {
        refused(item, "registering in a hole", *one,
                memory_hole() >> abi::kPageShift, 0, kEinval);
        refused(item, "registering at frame 2^45", *one, std::uint64_t{1} << 45,
                0, kEinval);
        event_arrives(item, *one, *default_slot(*one));
    }
}

// C-26. Nor is there one under a device's registers. What code it is depends on
// how the device is emulated; that the VMM survives a reset after it (some
// write the area back then) is what `reset=1` shows.
void register_at_mmio(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    if (Cpu *const one = unregistered(item)) {
        refused(item, "registering at the HPET", *one, kHpetFrame, 0, 0);
        if (!item.settled()) {
            refused(item, "registering at the IOAPIC", *one, kIoapicFrame, 0,
                    0);
        }
        event_arrives(item, *one, *default_slot(*one));
    }
}

// C-27. do_vcpu_op looks for the vCPU before all else.
void register_bad_arguments(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    item.equal("registering for a vCPU that is not there",
               register_vcpu_info(kNoVcpu, page_a.frame(), 0), kEnoent);
    item.equal("an argument that is not mapped",
               hypercall(abi::HYPERVISOR_vcpu_op,
                         abi::VCPUOP_register_vcpu_info, 0, kUnmapped),
               kEfault);
}

// C-28. As Linux does it for every vCPU that it starts. To Xen a vCPU that got
// an INIT and no SIPI is down, like one that never ran.
void register_stopped(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = unregistered(item);
    if (!one) {
        return;
    }
    stop(*one);
    register_from_here(*one, true);
    const Registration &seen = registration(*one);
    if (!item.equal("registering for a stopped vCPU", seen.result, 0)) {
        (void)restart(*one);
        return;
    }
    const Port port(*one);
    if (port.bound(item)) {
        check_marked_pending(item, seen.area);
        quiet(*one);
        const std::uint32_t before = upcalls(*one);
        item.equal("EVTCHNOP_send to it", send(port.number()), 0);
        if (item.that("it starts", start(*one))) {
            // It halts with interrupts on, so the flag may be handled by now.
            const Word want = Word{1} << port.number() / kWordBits;
            item.that("the event is pending in shared_info", port.pending());
            item.that("the event is in its selector", wait_until(100, [&] {
                          return (area(*one).evtchn_pending_sel & want) != 0;
                      }));
            item.that("and its upcall is pending, or came",
                      area(*one).evtchn_upcall_pending != 0 ||
                          upcalls(*one) != before);
        }
        quiet(*one);
    }
    event_arrives(item, *one, area(*one));
}

// C-29. Up to 4.17 only a vCPU that is down may be registered by another; from
// 4.18 on the target is paused meanwhile. In both the area is in use, and the
// slot is not, when the call returns; a second vCPU's events fall in between.
void register_running(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const target = unregistered(item);
    if (!target) {
        return;
    }
    Cpu *const sender = cpu(target->id == 1 ? 2 : 1);
    if (!sender) {
        item.skip("needs a third vCPU");
        return;
    }
    constexpr unsigned kPorts = 128;
    std::intptr_t ports[kPorts];
    unsigned bound = 0;
    for (; bound < kPorts; ++bound) {
        ports[bound] = bind_ipi(target->id);
        if (ports[bound] <= 0) {
            break;
        }
        clear_pending(static_cast<std::uint32_t>(ports[bound]));
        set_masked(static_cast<std::uint32_t>(ports[bound]), false);
    }

    volatile unsigned sent = 0;
    volatile std::intptr_t worst = 0;
    Random random(options.seed);
    auto send_all = [&] {
        for (unsigned i = 0; i < bound; ++i) {
            const std::intptr_t result =
                send(static_cast<std::uint32_t>(ports[i]));
            worst = result < worst ? result : worst;
            sent = i + 1;
            spin(random.below(20000));
        }
    };
    start_on(*sender, send_all);
    (void)wait_until(kWorkMs, [&] { return sent >= bound / 3; });
    register_from_here(*target, false);
    const std::intptr_t result = registration(*target).result;
    item.that("the sender comes back", finish_work(*sender, kWorkMs));

    item.equal("EVTCHNOP_send meanwhile", worst, 0);
    for (unsigned i = 0; i < bound; ++i) {
        const auto port = static_cast<std::uint32_t>(ports[i]);
        item.that("an event sent meanwhile is pending", pending(port));
        close_port(port);
        clear_pending(port);
    }
    if (result == 0) {
        check_marked_pending(item, registration(*target).area);
        default_slot(*target)->evtchn_pending_sel = 0;
        default_slot(*target)->evtchn_upcall_pending = 0;
        event_arrives(item, *target, area(*target));
        item.equal_bits("the old slot's selector after it",
                        default_slot(*target)->evtchn_pending_sel, 0);
        if (!since(4, 18)) {
            item.known("accepts a vCPU that runs, Xen says -22 before 4.18; "
                       "sends=",
                       bound);
        }
    } else {
        item.equal("registering for a vCPU that runs", result,
                   since(4, 18) ? 0 : kEinval);
        event_arrives(item, *target, *default_slot(*target));
    }
    item.pass("sends=", bound);
}

// C-30. vcpu_reset, which INIT leads to, leaves vcpu_info alone.
void registration_survives_init(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered_stopped(item);
    if (!one || !item.that("INIT and SIPI start it", restart(*one))) {
        return;
    }
    event_arrives(item, *one, area(*one));
    refused(item, "registering again after INIT", *one, area_page(*one).frame(),
            kAreaOffset, already_registered());
}

// C-31. A vCPU beyond the page's slots has had the dummy until it registers,
// which has nothing worth copying: zeroes, and the mask set. What was sent
// before is among the "everything" that is pending now.
void register_without_slot(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = unregistered(item, abi::kLegacyMaxVcpus, MAX_CPUS);
    if (!one) {
        return;
    }
    const Port port(*one);
    if (!port.bound(item)) {
        return;
    }
    item.equal("EVTCHNOP_send before it registers", send(port.number()), 0);
    register_by_itself(item, *one);
    const Registration &seen = registration(*one);
    if (!item.equal("registering", seen.result, 0)) {
        return;
    }
    item.that("what was sent before is pending", port.pending());
    check_marked_pending(item, seen.area);
    item.equal("evtchn_upcall_mask", seen.area.evtchn_upcall_mask, 1);
    if (since(4, 16)) {
        check_time(item, seen.area);
    }
    for (const Word word : seen.area.arch.pad) {
        item.equal_bits("the rest of the area", word, 0);
    }
    item.equal_bits("cr2", seen.area.arch.cr2, 0);
    item.that("an upcall came", !upcalls_reach(*one) || seen.upcalls != 0);
    event_arrives(item, *one, area(*one));
}

// C-32. Xen's dummy is no model: shared by all, and with a flag that nobody
// clears, so that Xen goes on offering the upcall. Here: the event is kept, and
// the vCPU is left alone or at least gets on. What the host's CPU does
// meanwhile cannot be seen from here.
void unregistered_without_slot(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = unregistered(item, abi::kLegacyMaxVcpus, MAX_CPUS);
    if (!one) {
        return;
    }
    const Port port(*one);
    if (!port.bound(item)) {
        return;
    }
    const std::uint32_t before = upcalls(*one);
    item.equal("EVTCHNOP_send", send(port.number()), 0);
    wait_ms(100);
    const std::uint32_t meanwhile = upcalls(*one) - before;
    item.that("the vCPU still runs", run_on(*one, [] {}));
    item.that("the event is pending in shared_info", port.pending());
    register_by_itself(item, *one);
    item.equal("registering", registration(*one).result, 0);
    item.that("an upcall came then",
              !upcalls_reach(*one) || registration(*one).upcalls != 0);
    item.pass("upcalls before it registered: ", meanwhile);
}

// C-33. force_update_vcpu_system_time (4.16, b67f09721f): at once, also for a
// vCPU that has not run yet.
void time_after_registration(Item &item)
{
    if (!since(4, 16)) {
        item.skip("Xen before 4.16 writes the time when it next runs");
        return;
    }
    if (!set_up(item)) {
        return;
    }
    if (Cpu *const one = registered(item)) {
        check_time(item, registration(*one).area);
    }
    if (item.settled()) {
        return;
    }
    if (Cpu *const one = registered_stopped(item)) {
        check_time(item, registration(*one).area);
    }
}

// C-34. A registered area is a page of its own, pinned: where shared_info goes
// is nothing to it.
void remap_leaves_registered(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered(item);
    if (!one) {
        return;
    }
    constexpr Word kMark = 0x34343434;
    area(*one).arch.pad[0] = kMark;
    for (Page *const page : {&page_a, &page_b, &home}) {
        if (!item.equal("moving shared_info", map_at(*page), 0)) {
            break;
        }
        event_arrives(item, *one, area(*one));
        item.equal_bits("a mark in the area", area(*one).arch.pad[0], kMark);
    }
    (void)at_home(item);
}

} // namespace xovl::guest
