// SPDX-License-Identifier: GPL-2.0-or-later
#include "reboot.hpp"

#include "abi/hypercall.hpp"
#include "cpu.hpp"
#include "report.hpp"
#include "shared_info.hpp"
#include "state.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

// Behind what loaders and firmware write, in the smallest machine there is.
constexpr Word kNote = 0x3000000;
constexpr Word kGrantFrame = (kNote >> abi::kPageShift) + 1;
constexpr std::uint64_t kMagic = 0x746f6f6265722d43; // "C-reboot"
constexpr Word kTrace = 0x7ace7ace;

struct Note {
    std::uint64_t magic;
    Totals totals;
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

bool grant_frame_shows()
{
    return page_at(kGrantFrame).words[kPageWords - 1] == kTrace;
}

void reboot(const Totals &totals)
{
    for (volatile Word &word : info_page().words) {
        word = kTrace;
    }
    // A grant frame, too, with its last entry marked: that grant is invalid,
    // so nobody but us reads it.
    if (add_to_physmap(abi::XENMAPSPACE_grant_table, 0, kGrantFrame) == 0) {
        page_at(kGrantFrame).words[kPageWords - 1] = kTrace;
    }
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
