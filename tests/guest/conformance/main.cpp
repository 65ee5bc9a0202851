// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: does shared_info and vcpu_info do here what they do on Xen?
//
// Theory: Xen's ABI is what Xen does. This is a list of what a guest can see of
// it, as far as it is about the shared_info page and vcpu_info areas; the
// comment at each item names the place in Xen's source that makes it so. Where
// that depends on the version, the version that the hypervisor says it has
// (XENVER_version) decides what is expected.
//
// Method: one item after the other, each with its verdict (item.hpp), on a
// machine with as many vCPUs as one likes. Items need not come in order and
// need not all be there: each makes what it needs. Those that want a vCPU that
// has not registered an area can use each vCPU once, so they want some: 8 will
// do, and 34 are needed for what is different from the 33rd on.
//
// README.md in this folder has the options, and how to start it anywhere.
//
// What it cannot tell: what the host's CPUs do meanwhile, and whatever needs
// the machine to be stopped, saved or moved.
#include <cstddef>

#include "cpu.hpp"
#include "guest_main.hpp"
#include "items.hpp"
#include "lapic.hpp"
#include "reboot.hpp"
#include "report.hpp"
#include "smp.hpp"
#include "start_info.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

extern "C" std::uint64_t boot_pd[];

namespace xovl::guest
{

namespace
{

struct Entry {
    unsigned number;
    const char *title;
    void (*run)(Item &);
};

// In the order in which they run: what changes more comes later.
constexpr Entry kItems[] = {
    {1, "maps in RAM", map_in_ram},
    {2, "bad index", bad_index},
    {3, "gfn ~0", invalid_gfn},
    {4, "gfn 2^51", gfn_too_wide},
    {5, "gfn 2^52 + n", gfn_truncated},
    {6, "content moves along", content_moves},
    {7, "the old place is left", old_place_is_left},
    {8, "the same place again", same_place_again},
    {9, "a grant frame at the same place", grant_frame_same_place},
    {10, "maps in a hole", map_in_hole},
    {11, "maps in the PAM range", map_in_pam},
    {12, "remove_from_physmap", remove},
    {13, "event while unmapped", event_while_unmapped},
    {17, "batch", batch},
    {18, "batch, refused", batch_refusals},
    {14, "remap loses no event", remap_loses_nothing},
    {15, "remap damages no RAM", ram_under_remap},
    {19, "default slots", default_slots},
    {23, "area across pages", register_across_pages},
    {24, "area's alignment", register_misaligned},
    {25, "area in a hole", register_at_hole},
    {27, "registration, bad arguments", register_bad_arguments},
    {20, "registration copies and marks", register_self},
    {21, "registration raises the upcall", register_raises_upcall},
    {22, "second registration", register_twice},
    {28, "registration of a stopped vCPU", register_stopped},
    {29, "registration of a running vCPU", register_running},
    {30, "registration survives INIT", registration_survives_init},
    {31, "registration of vCPU 32 and up", register_without_slot},
    {32, "vCPU 32 and up, unregistered", unregistered_without_slot},
    {33, "time after registration", time_after_registration},
    {34, "remap leaves a registered area", remap_leaves_registered},
    {26, "area at a device", register_at_mmio},
    {35, "wallclock", wallclock_is_there},
    {36, "wallclock after a stop", host_needed},
    {37, "wallclock after migration", host_needed},
    {38, "callback rewrites the wallclock", callback_rewrites_wallclock},
    {39, "wallclock is not torn", wallclock_not_torn},
    {40, "no stray wallclock", no_stray_wallclock},
    {41, "latch back and forth", latch_back_and_forth},
    {45, "sleep keeps all", sleep_keeps_all},
    {42, "soft reset", soft_reset},
    {16, "soft reset at frame 0", soft_reset_at_zero},
    {43, "soft reset is synchronous", soft_reset_is_synchronous},
    {44, "reset", full_reset},
};

constexpr std::uint64_t kAll = ~std::uint64_t{0};
constexpr std::uint64_t kReset = std::uint64_t{1} << 44;

void start_line_of(const Entry &entry)
{
    print("C-", entry.number < 10 ? "0" : "", entry.number, " START ",
          entry.title, "\n");
}

void count(Totals &totals, Outcome outcome)
{
    totals.passed += outcome == Outcome::Pass;
    totals.failed += outcome == Outcome::Fail;
    totals.skipped += outcome == Outcome::Skip;
    totals.known += outcome == Outcome::Known;
}

// An address for arguments that must not be readable, in both widths.
void take_away_unmapped()
{
    boot_pd[kUnmapped >> 21] = 0;
    invlpg(kUnmapped);
}

} // namespace

const char *guest_name()
{
    return "conformance";
}

void guest_main()
{
    std::uint64_t selected = option_set("only", kAll);
    selected &= ~option_set("skip", 0);
    options.delivery = static_cast<std::uint32_t>(option("delivery", kVector));
    options.seed = option("seed", 1);
    options.loops = option("loops", 1000);
    options.msr = option("msr", 0) != 0;
    options.reset = option("reset", 0) != 0;
    options.sleep = option("sleep", 0) != 0;
    const std::uint64_t expected = option("cpus", 0);
    end_of_options();
    if (options.delivery > kIntx) {
        error("delivery=", options.delivery, " is none of 0 to 3");
    }
    if (options.delivery >= kGsi && !ioapic_present()) {
        error("delivery=", options.delivery, " needs an IOAPIC");
    }

    look_for_first_boot();
    Totals totals{};
    if (rebooted()) {
        take_totals(totals);
        selected &= kReset;
    }
    xen_find();
    if (options.msr) {
        xen_write_msr();
    }
    take_away_unmapped();
    print("vCPUs: ", smp_init(static_cast<unsigned>(expected)),
          ", width: ", kWordBits, "\n");

    constexpr std::uint64_t kEarly = std::uint64_t{1} << 13;
    look_first((selected & kEarly) != 0);

    for (const Entry &entry : kItems) {
        if ((selected >> entry.number & 1) == 0) {
            continue;
        }
        if (entry.number == 44 && options.reset && !rebooted()) {
            continue;
        }
        start_line_of(entry);
        Item item(entry.number);
        entry.run(item);
        count(totals, item.finish());
    }
    if (options.reset && !rebooted() && (selected & kReset) != 0) {
        Item item(44);
        if (at_home(item)) {
            reboot(totals);
        }
        count(totals, item.finish());
    }

    print("SUMMARY passed=", totals.passed, " failed=", totals.failed,
          " skipped=", totals.skipped, " known=", totals.known, "\n");
    if (totals.failed != 0) {
        fail(totals.failed, " of ", totals.failed + totals.passed,
             " items failed");
    }
    if (totals.passed + totals.known == 0) {
        skip("no item was checked");
    }
    pass(totals.passed, " items, ", totals.known, " known differences, ",
         totals.skipped, " skipped");
}

} // namespace xovl::guest
