// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark guest: what it costs to move the shared_info page.
//
// Nothing is checked but that each hypercall succeeds; remap/ does that. What
// is measured is read from the TSC, which counts instructions where the machine
// below is emulated that way (docs/benchmarks/README.md).
//
// Method: commands of one letter come on COM1, and are answered by lines
//   BENCH <what> <number> <number> ...     then     END <letter>
//   e  `loops` times a hypercall that the emulator refuses at once: the cost of
//      an exit to it, the unit for all else
//   n  the same with an operation of memory_op, which our device looks at
//   r  `loops` remaps, back to back, nothing touched in between
//   t  all free RAM is touched, one word per page: how long
//   a  `after` times: all RAM touched, a remap, all RAM touched again. Prints
//      the second and third: what the remap itself, and what it left to do
//   f  as a, but each time to a page where shared_info never was, in 2 MiB of
//      RAM where it never was: what a guest's first remap costs
//   c  `loops` remaps with the clock of vCPU 0 read before and after: updates
//      of it, and the largest step in ns between what the old and the new
//      parameters say of the same moment
//   s  `after` times: a vcpu_info is registered for each vCPU, then a soft
//      reset, as Linux asks for one on its way through kexec; then shared_info
//      is mapped again. Prints the soft reset, and both together
//   q  the end
// Somebody outside can so look at the host between any two of them; and what is
// measured in e, r, t and f is marked for who counts instructions by address
// (mark.hpp; tools/profile). Where there is no COM1 (a PVH guest on Xen), it
// does "erc" and ends.
//
// Options: loops=N, after=N, cpus=N (that there are, default 1)
//
// What it cannot tell: what other vCPUs notice. With cpus=N they are started,
// and halt.
#include <cstddef>
#include <cstdint>

#include "abi/hypercall.hpp"
#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "guest_main.hpp"
#include "mark.hpp"
#include "memory_map.hpp"
#include "report.hpp"
#include "samples.hpp"
#include "selectors.h"
#include "shared_info.hpp"
#include "smp.hpp"
#include "start_info.hpp"
#include "system_time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::size_t kMaxSamples = 1000;

// For tools/profile, which has them too.
constexpr std::uint16_t kMarkExits = 1;
constexpr std::uint16_t kMarkRemaps = 2;
constexpr std::uint16_t kMarkTouch = 3;
constexpr std::uint16_t kMarkFresh = 4;
constexpr std::uint16_t kMarkTouchAfterFresh = 5;

// No such operation of sched_op or memory_op, on Xen or elsewhere.
constexpr std::uint64_t kNoSuchOperation = 63;

struct Page {
    alignas(abi::kPageSize) volatile std::byte bytes[abi::kPageSize];
};

// Huge pages are of this size, of the host's memory and of the guest's.
constexpr std::uint64_t kPiece = 2 << 20;

Page pages[2];
std::size_t here; // which of them shows shared_info

alignas(64) volatile abi::VcpuInfo64 areas[MAX_CPUS];

std::uint64_t samples[kMaxSamples];
std::uint64_t more_samples[kMaxSamples];

void show_at(volatile void *page)
{
    const std::intptr_t result = map_shared_info(page);
    if (result != 0) {
        fail("a remap returned ", result);
    }
}

void move_to(std::size_t at)
{
    show_at(&pages[at]);
    here = at;
}

std::uint64_t remap()
{
    const std::uint64_t start = rdtsc();
    move_to(1 - here);
    return rdtsc() - start;
}

Clock shown_clock()
{
    const auto &info =
        reinterpret_cast<const volatile abi::SharedInfo64 &>(pages[here]);
    return read_clock(info.vcpu_info[0]);
}

void measure_exits(const char *what, std::uint32_t number, std::uint64_t loops)
{
    mark_begin<kMarkExits>();
    for (std::uint64_t i = 0; i < loops; ++i) {
        const std::uint64_t start = rdtsc();
        (void)hypercall(number, kNoSuchOperation);
        samples[i] = rdtsc() - start;
    }
    mark_end();
    print_samples(samples, loops, what);
}

void measure_remaps(std::uint64_t loops)
{
    mark_begin<kMarkRemaps>();
    for (std::uint64_t i = 0; i < loops; ++i) {
        samples[i] = remap();
    }
    mark_end();
    print_samples(samples, loops, "remap");
}

void measure_touch()
{
    mark_begin<kMarkTouch>();
    samples[0] = touch_all_ram();
    mark_end();
    print_samples(samples, 1, "touch");
}

void measure_after(std::uint64_t loops)
{
    for (std::uint64_t i = 0; i < loops; ++i) {
        (void)touch_all_ram();
        samples[i] = remap();
        more_samples[i] = touch_all_ram();
    }
    print_samples(samples, loops, "remap-of-touched");
    print_samples(more_samples, loops, "touch-after");
}

// The n-th page for measure_fresh().
volatile void *fresh_page(std::uint64_t n)
{
    for (const RamRange &range : free_ram()) {
        // Not at the beginning, where no mapping would have to be split.
        const std::uint64_t first = (range.begin / kPiece + 1) * kPiece;
        const std::uint64_t page = first + n * kPiece + kPiece / 2;
        if (page + kPiece <= range.end) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): RAM as the map says.
            return reinterpret_cast<volatile void *>(page);
        }
    }
    error("too little RAM for ", n + 1, " pages in huge pages of their own");
}

void measure_fresh(std::uint64_t loops)
{
    static std::uint64_t used = 0;
    for (std::uint64_t i = 0; i < loops; ++i) {
        volatile void *const page = fresh_page(used++);
        (void)touch_all_ram();
        mark_begin<kMarkFresh>();
        const std::uint64_t start = rdtsc();
        show_at(page);
        samples[i] = rdtsc() - start;
        mark_end();
        mark_begin<kMarkTouchAfterFresh>();
        more_samples[i] = touch_all_ram();
        mark_end();
    }
    print_samples(samples, loops, "remap-fresh");
    print_samples(more_samples, loops, "touch-after-fresh");
    move_to(0);
}

void measure_clock(std::uint64_t loops)
{
    std::uint64_t updates = 0;
    std::uint64_t largest = 0;
    for (std::uint64_t i = 0; i < loops; ++i) {
        const Clock before = shown_clock();
        (void)remap();
        const Clock after = shown_clock();
        updates += (after.version - before.version) / 2;
        const std::uint64_t now = rdtsc();
        const std::uint64_t was = before.at(now);
        const std::uint64_t is = after.at(now);
        const std::uint64_t step = is > was ? is - was : was - is;
        largest = step > largest ? step : largest;
    }
    print("BENCH clock-updates ", updates, "\n");
    print("BENCH clock-step ", largest, "\n");
}

void register_areas(std::uint64_t cpus)
{
    for (std::uint32_t id = 0; id < cpus; ++id) {
        if (const std::intptr_t result = register_vcpu_info(id, &areas[id]);
            result != 0) {
            fail("registration of vCPU ", id, " returned ", result);
        }
    }
}

void measure_soft_resets(std::uint64_t loops, std::uint64_t cpus)
{
    const abi::sched_shutdown argument{abi::SHUTDOWN_soft_reset};
    for (std::uint64_t i = 0; i < loops; ++i) {
        register_areas(cpus);
        const std::uint64_t start = rdtsc();
        const std::intptr_t result =
            hypercall(abi::HYPERVISOR_sched_op, abi::SCHEDOP_shutdown,
                      address_of(argument));
        samples[i] = rdtsc() - start;
        if (result != 0) {
            fail("a soft reset returned ", result);
        }
        move_to(0);
        more_samples[i] = rdtsc() - start;
    }
    print_samples(samples, loops, "soft-reset");
    print_samples(more_samples, loops, "soft-reset-and-map");
}

} // namespace

const char *guest_name()
{
    return "remap_cost";
}

void guest_main()
{
    const std::uint64_t loops = option("loops", 100);
    const std::uint64_t after = option("after", 3);
    const std::uint64_t cpus = option("cpus", 1);
    end_of_options();
    if (loops > kMaxSamples || after > kMaxSamples) {
        error("more than ", kMaxSamples, " samples");
    }
    if (cpus > MAX_CPUS) {
        error("more than ", MAX_CPUS, " vCPUs");
    }
    memory_map_init();
    map_all_ram();
    xen_init();
    if (cpus > 1) {
        (void)smp_init(static_cast<unsigned>(cpus));
    }
    move_to(0);
    std::uint64_t free = 0;
    for (const RamRange &range : free_ram()) {
        free += range.end - range.begin;
    }
    print("READY free=", free, "\n");

    const char *next = "ercq";
    for (;;) {
        const char told = console_read_byte();
        const char command = told != '\0' ? told : *next++;
        switch (command) {
        case 'e':
            measure_exits("exit", abi::HYPERVISOR_sched_op, loops);
            break;
        case 'n':
            measure_exits("memory-op", abi::HYPERVISOR_memory_op, loops);
            break;
        case 'r':
            measure_remaps(loops);
            break;
        case 't':
            measure_touch();
            break;
        case 'a':
            measure_after(after);
            break;
        case 'f':
            measure_fresh(after);
            break;
        case 'c':
            measure_clock(loops);
            break;
        case 's':
            measure_soft_resets(after, cpus);
            break;
        case 'q':
            pass("done");
        default:
            error("no such command");
        }
        const char end[] = {command, '\n', '\0'};
        print("END ", end);
    }
}

} // namespace xovl::guest
