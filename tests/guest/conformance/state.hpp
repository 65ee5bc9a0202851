// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's side of what is tested: where shared_info shows, which vCPUs
// have registered an area, how upcalls come.
//
// On Xen, RAM is freed where shared_info is mapped over it, and the frame is a
// hole once the page has gone elsewhere. So each page that an item maps
// something at is used for that only, and never as memory again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/layout.hpp"
#include "abi/types.hpp"
#include "cpu.hpp"
#include "item.hpp"
#include "smp.hpp"

namespace xovl::guest
{

using SharedInfo = abi::SharedInfo<Word>;
using VcpuInfo = abi::VcpuInfo<Word>;

inline constexpr Word kAllOnes = ~Word{0};
inline constexpr unsigned kWordBits = sizeof(Word) * 8;
inline constexpr std::size_t kPageWords = abi::kPageSize / sizeof(Word);

struct alignas(abi::kPageSize) Page {
    volatile Word words[kPageWords];

    [[nodiscard]] Word frame() const
    {
        return reinterpret_cast<Word>(this) >> abi::kPageShift;
    }
};

// A frame that is not one of this guest's own variables.
[[nodiscard]] inline Page &page_at(Word frame)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    return *reinterpret_cast<Page *>(frame << abi::kPageShift);
}

// Neither width's shared_info reaches so far: for marks of the guest's own.
inline constexpr std::size_t kMarkWord = 0xff0 / sizeof(Word);

// An address that no page table maps.
inline constexpr Word kUnmapped = 0xfe000000;

struct Options {
    std::uint32_t delivery;
    std::uint64_t seed;
    std::uint64_t loops;
    bool msr;
    bool reset;
    bool sleep;
};

extern Options options;

// Where shared_info is between items; and places to move it to.
extern Page home, page_a, page_b;

// Maps shared_info at `page`; info() is there once that succeeded.
[[nodiscard]] std::intptr_t map_at(Page &page);

// Takes it away again, by the frame it is at.
[[nodiscard]] std::intptr_t unmap();

// Where it shows, or showed last.
[[nodiscard]] volatile SharedInfo &info();
[[nodiscard]] Page &info_page();

// Brings the page home; if that fails, so does the item.
[[nodiscard]] bool at_home(Item &item);

// Sees to it that shared_info is mapped and upcalls come, after boot or reset.
[[nodiscard]] bool set_up(Item &item);

// What was seen of the page when it was first mapped in this boot.
struct FirstSight {
    bool seen;
    std::intptr_t early_port; // C-13: bound before the page was mapped
    std::intptr_t early_sent;
    bool early_pending;
    Word page[kPageWords];      // right after the map
    Word pending[kWordBits];    // after HVM_PARAM_CALLBACK_IRQ was set as well
    std::uint32_t time_version; // of vCPU 0's default slot
};

extern FirstSight first_sight;
void look_first(bool with_early_event);

// --- upcalls

enum Delivery : std::uint32_t { kVector, kUpcallVector, kGsi, kIntx };

// Sets HVM_PARAM_CALLBACK_IRQ to what `delivery=` asks for, which also latches
// the guest's width.
[[nodiscard]] std::intptr_t set_callback();
[[nodiscard]] std::intptr_t set_callback_as_32_bit();

// Those of GSI and INTx are for vCPU 0 only.
[[nodiscard]] bool upcalls_reach(const Cpu &cpu);

// One that has not come by then does not come.
inline constexpr std::uint32_t kUpcallMs = 200;

// How many this CPU had. The handler clears evtchn_upcall_pending, no more.
[[nodiscard]] std::uint32_t upcalls(const Cpu &cpu);

// --- vcpu_info

// The vCPU's area, its default slot, or nullptr if it has none.
[[nodiscard]] volatile VcpuInfo *vcpu_info(const Cpu &cpu);
[[nodiscard]] volatile VcpuInfo *default_slot(const Cpu &cpu);

// What register_area() saw.
struct Registration {
    bool done;
    bool by_itself;
    bool stopped; // the vCPU had no SIPI then
    std::intptr_t result;
    Word mark;             // that was in the default slot before
    VcpuInfo area;         // right after the hypercall returned
    std::uint32_t upcalls; // by_itself: that came when interrupts were let in
};

[[nodiscard]] Registration &registration(const Cpu &cpu);

// Registers the vCPU's own area: on that vCPU, or on this one for it.
void register_by_itself(Item &item, Cpu &cpu);
void register_from_here(Cpu &cpu, bool stopped);

// The frame of the area's page, and the area in it.
[[nodiscard]] Page &area_page(const Cpu &cpu);
[[nodiscard]] volatile VcpuInfo &area(const Cpu &cpu);
inline constexpr std::uint32_t kAreaOffset = sizeof(Word) == 8 ? 0x88 : 0x84;

// A vCPU, other than the first, with `from` <= id < `to` that has not
// registered; skips the item if there is none.
[[nodiscard]] Cpu *unregistered(Item &item, std::uint32_t from = 1,
                                std::uint32_t to = abi::kLegacyMaxVcpus);

// One that has, by itself; made so if there is none.
[[nodiscard]] Cpu *registered(Item &item);

// After a soft reset: nothing is mapped and nothing registered.
void forget_everything();

// --- events

// A port that a vCPU hears, unmasked, closed at the end.
class Port
{
public:
    explicit Port(const Cpu &cpu);
    ~Port();
    Port(const Port &) = delete;
    Port &operator=(const Port &) = delete;

    // The negative errno if it could not be bound; fails the item then.
    [[nodiscard]] bool bound(Item &item) const;
    [[nodiscard]] std::uint32_t number() const
    {
        return static_cast<std::uint32_t>(number_);
    }
    [[nodiscard]] bool pending() const;
    void clear() const;

    // It was closed by a reset.
    void forget() { number_ = -1; }

private:
    std::intptr_t number_;
};

[[nodiscard]] bool pending(std::uint32_t port);
void clear_pending(std::uint32_t port);
void set_masked(std::uint32_t port, bool masked);
[[nodiscard]] bool masked(std::uint32_t port);

// No event, no selector, no upcall for this vCPU.
void quiet(const Cpu &cpu);

// Checks that an event for `cpu` is seen in `place`, by that CPU itself, and
// that the upcall comes.
bool event_arrives(Item &item, Cpu &cpu, volatile VcpuInfo &place);

// --- numbers that look random, the same for the same seed

class Random
{
public:
    explicit Random(std::uint64_t seed) : state_{seed * 2 + 1} {}
    std::uint32_t below(std::uint32_t limit);

private:
    std::uint64_t state_;
};

} // namespace xovl::guest
