// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: the shared_info page can be moved, again and again.
//
// Theory: shared_info is one page that belongs to the hypervisor. XENMEM_
// add_to_physmap makes it show at a guest frame; asking again for another frame
// moves it there. Its content is the same page's wherever it shows (xen-abi
// C-01, C-06). What shows at the frame it left is a hole on Xen, and the RAM
// that was there before on hosts that keep it; either is right, provided that
// RAM is as the guest left it (C-15) and it is not the overlay still (C-07).
//
// Method: two pages, A and B, of this guest's own BSS are filled with a pattern
// that is different for each page and word. Then for every remap:
//   1. a marker never used before is written to an unused word of the page,
//      where it shows now;
//   2. the page is moved, and the hypercall must have returned 0;
//   3. at the new place, no word of the pattern may show, the marker must, and
//      the wallclock must be there: Xen and KVM write it, nothing else does;
//   4. at the old place, there must be a hole or the intact pattern.
// The new marker every time is why one page each for A and B, or a copy made
// once, cannot pass. All accesses are volatile; a compiler sees no reason why
// a word it has just written should change.
//
// Options: loops=N  how many remaps (100)
//          latch=1  first become a 32-bit guest, by the hypercall page's MSR,
//                   say LATCHED, wait for a byte, and become a 64-bit one again
//          plant=1  before READY, leave in the page what somebody who looks
//                   from outside should find, and say so: a pending port, a
//                   word of masked ones, a selector and an upcall of vCPU 1
//          wait=1   wait for a byte on COM1 after READY and after DONE, so that
//                   somebody can look from outside while the guest stands still
//
// What it cannot tell: whether an event would have been lost in between, or
// another vCPU's vcpu_info was written to the RAM coming back. One vCPU sends
// no events to itself while it is in the hypercall.
#include <cstddef>
#include <cstdint>

#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "guest_main.hpp"
#include "report.hpp"
#include "shared_info.hpp"
#include "start_info.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::size_t kWords = abi::kPageSize / sizeof(std::uint64_t);

// Neither width's shared_info reaches so far.
constexpr std::size_t kMarkerOffset = 0xff0;
constexpr std::size_t kMarkerWord = kMarkerOffset / sizeof(std::uint64_t);
static_assert(kMarkerOffset >= sizeof(abi::SharedInfo64));
static_assert(kMarkerOffset >= sizeof(abi::SharedInfo32));

constexpr std::uint64_t kMarker = 0x6d61726b00000000; // "mark", then a number
constexpr std::uint64_t kHole = ~std::uint64_t{0};

using Words = volatile std::uint64_t[kWords];

struct Place {
    const char *name;
    std::uint64_t pattern;
    Words &words;

    [[nodiscard]] abi::Gpa gpa() const
    {
        return {reinterpret_cast<std::uintptr_t>(&words)}; // virtual = physical
    }

    [[nodiscard]] std::uint64_t pattern_at(std::size_t word) const
    {
        return pattern + word;
    }
};

alignas(abi::kPageSize) Words page_a;
alignas(abi::kPageSize) Words page_b;

constexpr Place kA{"A", 0xa5a5a5a5'00000000, page_a};
constexpr Place kB{"B", 0x5b5b5b5b'00000000, page_b};

void fill(const Place &place)
{
    for (std::size_t i = 0; i < kWords; ++i) {
        place.words[i] = place.pattern_at(i);
    }
}

// xen_init() had the hypervisor latch 64 bits, and write the wallclock by that.
// While it writes, the version is odd, which must pass.
std::uint32_t wc_version(const Place &place)
{
    const auto &info =
        reinterpret_cast<const volatile abi::SharedInfo64 &>(place.words);
    std::uint32_t version = info.wc_version;
    for (int tries = 0; (version & 1) != 0 && tries < 1000; ++tries) {
        pause();
        version = info.wc_version;
    }
    return version;
}

void check_overlay_at(const Place &place, std::uint64_t remap)
{
    for (std::size_t i = 0; i < kWords; ++i) {
        if (place.words[i] == place.pattern_at(i)) {
            fail("remap ", remap, ": RAM, not shared_info, at ", place.name,
                 " offset ", Hex{i * sizeof(std::uint64_t)});
        }
    }
    const std::uint32_t version = wc_version(place);
    if (version == 0 || (version & 1) != 0) {
        fail("remap ", remap, ": wc_version at ", place.name, " is ", version);
    }
}

enum class Old { Hole, Ram };

Old check_left(const Place &place, std::uint64_t remap)
{
    // One word tells them apart, and where it is a hole every read goes to an
    // emulator: a few are enough.
    const bool hole = place.words[kMarkerWord] == kHole;
    for (std::size_t i = 0; i < kWords; i += hole ? kWords / 8 : 1) {
        const std::uint64_t expected = hole ? kHole : place.pattern_at(i);
        const std::uint64_t found = place.words[i];
        if (found != expected) {
            fail("remap ", remap, ": left ", place.name,
                 ", neither a hole nor RAM as it was: offset ",
                 Hex{i * sizeof(std::uint64_t)}, " has ", Hex{found}, ", not ",
                 Hex{expected});
        }
    }
    return hole ? Old::Hole : Old::Ram;
}

void plant(const Place &place)
{
    constexpr std::uint32_t kPort = 69;
    constexpr std::uint64_t kSelector = 0x8000000000000002;
    auto &info = reinterpret_cast<volatile abi::SharedInfo64 &>(place.words);
    info.evtchn_pending[kPort / 64] = std::uint64_t{1} << kPort % 64;
    info.evtchn_mask[0] = ~std::uint64_t{0};
    info.vcpu_info[1].evtchn_pending_sel = kSelector;
    info.vcpu_info[1].evtchn_upcall_pending = 1;
    print("PLANTED port=", kPort, " sel=", Hex{kSelector},
          " wc_sec=", info.wc_sec, " wc_nsec=", info.wc_nsec, "\n");
}

void wait_for_byte(bool wait)
{
    if (wait && !console_wait_for_byte()) {
        error("wait=1 needs COM1, and there is none");
    }
}

} // namespace

const char *guest_name()
{
    return "remap";
}

void guest_main()
{
    const std::uint64_t loops = option("loops", 100);
    const bool latch = option("latch", 0) != 0;
    const bool planting = option("plant", 0) != 0;
    const bool wait = option("wait", 0) != 0;
    end_of_options();
    if (loops > 0xffffffff) {
        error("loops=", loops, " is more than there are markers");
    }
    xen_init();
    if (latch) {
        latch_width(32);
        print("LATCHED\n");
        wait_for_byte(true);
        latch_width(64);
    }

    fill(kA);
    fill(kB);
    const std::int64_t mapped = map_shared_info(&kA.words);
    if (mapped != 0) {
        fail("first map returned ", mapped);
    }
    check_overlay_at(kA, 0);
    kA.words[kMarkerWord] = kMarker;
    print("wc_version ", wc_version(kA), "\n");
    if (planting) {
        plant(kA);
    }
    print("READY mapped=", Hex{kA.gpa().value}, "\n");
    wait_for_byte(wait);

    const Place *here = &kA;
    const Place *there = &kB;
    std::uint64_t cycles = 0;
    std::uint64_t most = 0;
    std::uint64_t holes = 0;
    for (std::uint64_t remap = 1; remap <= loops; ++remap) {
        const std::uint64_t marker = kMarker + remap;
        here->words[kMarkerWord] = marker;

        const std::uint64_t start = rdtsc();
        const std::int64_t result = map_shared_info(&there->words);
        const std::uint64_t taken = rdtsc() - start;
        if (result != 0) {
            fail("remap ", remap, " to ", there->name, " returned ", result);
        }
        check_overlay_at(*there, remap);
        const std::uint64_t found = there->words[kMarkerWord];
        if (found != marker) {
            fail("remap ", remap, ": marker at ", there->name, " is ",
                 Hex{found}, ", not ", Hex{marker});
        }
        if (check_left(*here, remap) == Old::Hole) {
            ++holes;
        }

        cycles += taken;
        most = taken > most ? taken : most;
        const Place *const left = here;
        here = there;
        there = left;
    }

    print("DONE loops=", loops, "\n");
    wait_for_byte(wait);

    if (loops == 0) {
        skip("loops=0, so nothing was moved");
    }
    print("cycles per remap: ", cycles / loops, " (most ", most, ")\n");
    pass(loops, " remaps, left behind: ", loops - holes, " times RAM, ", holes,
         " times a hole");
}

} // namespace xovl::guest
