// SPDX-License-Identifier: GPL-2.0-or-later
#include "reboot.hpp"

#include "abi/hypercall.hpp"
#include "cpu.hpp"
#include "report.hpp"
#include "state.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

// Behind what loaders and firmware write, in the smallest machine there is.
constexpr Word kNote = 0x3000000;
constexpr std::uint64_t kMagic = 0x746f6f6265722d43; // "C-reboot"

struct Note {
    std::uint64_t magic;
    Totals totals;
    Traces traces;
};

Note first_boot;

// NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
volatile Note &note = *reinterpret_cast<volatile Note *>(kNote);

} // namespace

void look_for_first_boot()
{
    first_boot.magic = note.magic;
    first_boot.totals.passed = note.totals.passed;
    first_boot.totals.failed = note.totals.failed;
    first_boot.totals.skipped = note.totals.skipped;
    first_boot.totals.known = note.totals.known;
    first_boot.traces.port = note.traces.port;
    first_boot.traces.pirq = note.traces.pirq;
    note.magic = 0;
}

bool rebooted()
{
    return first_boot.magic == kMagic;
}

void take_totals(Totals &totals)
{
    totals = first_boot.totals;
}

const Traces &traces_of_first_boot()
{
    return first_boot.traces;
}

void reboot(const Totals &totals)
{
    const Traces traces = leave_traces();
    note.traces.port = traces.port;
    note.traces.pirq = traces.pirq;
    note.totals.passed = totals.passed;
    note.totals.failed = totals.failed;
    note.totals.skipped = totals.skipped;
    note.totals.known = totals.known;
    note.magic = kMagic;

    print("rebooting\n");
    console_drain();
    const abi::sched_shutdown argument{abi::SHUTDOWN_reboot};
    const std::intptr_t result = hypercall(
        abi::HYPERVISOR_sched_op, abi::SCHEDOP_shutdown, address_of(argument));
    if (result != 0) {
        error("asked for a reboot, Xen answered ", result);
    }
    halt_forever();
}

} // namespace xovl::guest
