// SPDX-License-Identifier: GPL-2.0-or-later
// Where RAM is, as the loader says, and a way to reach all of it. For
// 64-bit guests.
//
//     memory_map_init();
//     map_all_ram();
//     for (const RamRange &range : free_ram()) ...
#pragma once

#include <cstddef>
#include <cstdint>

namespace xovl::guest
{

struct RamRange {
    std::uint64_t begin; // page aligned, as is the end
    std::uint64_t end;
};

// More than any PC's map has.
inline constexpr std::size_t kMaxRamRanges = 32;

struct RamRanges {
    RamRange range[kMaxRamRanges];
    std::size_t count;

    [[nodiscard]] const RamRange *begin() const { return range; }
    [[nodiscard]] const RamRange *end() const { return range + count; }
};

// Copies the map; before anything is written to where the loader left it.
void memory_map_init();

// RAM behind this guest's own image: free for any use.
const RamRanges &free_ram();

// Maps RAM above 4 GiB one to one, too. Ends the guest with an error where
// there is more than it has tables for.
void map_all_ram();

// Writes to each page of the free RAM, its last word; how long that takes, in
// ticks of the TSC. What shared_info and vcpu_info have is not in last words.
std::uint64_t touch_all_ram();

} // namespace xovl::guest
