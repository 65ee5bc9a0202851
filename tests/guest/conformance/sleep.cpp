// SPDX-License-Identifier: GPL-2.0-or-later
// C-45: suspend to RAM (ACPI S3) and wakeup.
//
// In Xen: xen/arch/x86/hvm/hvm.c (hvm_s3_suspend, hvm_s3_resume), which reset
// vCPUs and nothing else.
#include "sleep.hpp"

#include "abi/event_channel.hpp"
#include "event_channel.hpp"
#include "items.hpp"
#include "rtc.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

// C-45. The page, registrations, ports with what is pending on them, and the
// callback are as they were.
void sleep_keeps_all(Item &item)
{
    constexpr std::uint32_t kMaskedPort = 900;
    constexpr Word kMark = 0x51ee9;
    if (!options.sleep) {
        item.skip("needs sleep=1, and a VMM that wakes up from S3");
        return;
    }
    if (options.delivery >= kGsi) {
        item.skip("an interrupt controller that was reset delivers nothing");
        return;
    }
    if (!set_up(item)) {
        return;
    }
    Cpu *const one = registered(item);
    const Port port(this_cpu());
    if (!one || !port.bound(item)) {
        return;
    }
    info_page().words[kMarkWord] = kMark;
    set_masked(kMaskedPort, true);
    set_masked(port.number(), true);
    send(port.number());
    // Without an upcall, unless by the local APIC: the callback vector comes
    // whenever interrupts are let in, and comes again until the upcall is
    // acknowledged. Firmware that has no handler for it is called for ever.
    const Port unmasked(this_cpu());
    if (!unmasked.bound(item)) {
        return;
    }
    quiet(this_cpu());
    const std::uint32_t before = upcalls(this_cpu());
    if (options.delivery == kUpcallVector) {
        send(unmasked.number());
    }

    if (!sleep_to_ram()) {
        item.skip("the machine cannot sleep");
        return;
    }

    if (options.delivery == kUpcallVector) {
        item.that("the upcall of before comes", wait_until(kUpcallMs, [&] {
                      let_interrupts_in();
                      return upcalls(this_cpu()) != before;
                  }));
        item.that("its event is pending", unmasked.pending());
        unmasked.clear();
    }
    item.equal_bits("a mark in the page", info_page().words[kMarkWord], kMark);
    item.that("the mask bit is still set", masked(kMaskedPort));
    set_masked(kMaskedPort, false);
    item.that("what was pending is", port.pending());
    item.equal("the port's status", port_status(port.number()),
               abi::EVTCHNSTAT_ipi);
    port.clear();
    item.equal("EVTCHNOP_send", send(port.number()), 0);
    item.that("it arrives in the page", port.pending());
    event_arrives(item, this_cpu(), *vcpu_info(this_cpu()));

    item.that("INIT and SIPI start the other vCPU", restart(*one));
    event_arrives(item, *one, area(*one));
    std::intptr_t again = 0;
    item.that("the vCPU comes back", run_on(*one, [&] {
                  again = register_vcpu_info(
                      one->id, area_page(*one).frame(), kAreaOffset);
              }));
    item.negative("registering a second time", again);

    std::uint64_t rtc = 0;
    if (rtc_seconds(rtc)) {
        const auto ahead = static_cast<std::int64_t>(wallclock_seconds()) -
                           static_cast<std::int64_t>(rtc);
        item.that("the wallclock is the RTC's", ahead >= -2 && ahead <= 2);
    }
    for (std::uint32_t id = 1; id < cpu_ids(); ++id) {
        if (cpu(id) && cpu(id) != one) {
            item.that("INIT and SIPI start a vCPU", restart(*cpu(id)));
        }
    }
}

} // namespace xovl::guest
