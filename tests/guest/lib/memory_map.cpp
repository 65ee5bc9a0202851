// SPDX-License-Identifier: GPL-2.0-or-later
// The memory map of the PVH start info; page tables beyond those of entry.S.
#include "memory_map.hpp"

#include "abi/types.hpp"
#include "cpu.hpp"
#include "report.hpp"
#include "start_info.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kLargePage = std::uint64_t{1} << 21;
constexpr std::uint64_t kPresentWrite = 0x003;
constexpr std::uint64_t kPresentWriteLarge = 0x083;

constexpr std::size_t kEntries = 512;
constexpr std::size_t kBootGiB = 4; // as entry.S maps
constexpr std::size_t kMaxGiB = 16;

RamRanges ram;

struct PageDirectory {
    alignas(abi::kPageSize) std::uint64_t entry[kEntries];
};

PageDirectory upper[kMaxGiB - kBootGiB];

extern "C" volatile std::uint64_t boot_pdpt[kEntries]; // entry.S
extern "C" const char bss_end[];                       // guest.ld

constexpr std::uint64_t page_up(std::uint64_t address)
{
    return (address + abi::kPageSize - 1) & ~(abi::kPageSize - 1);
}

} // namespace

void memory_map_init()
{
    const hvm_start_info &info = start_info();
    if (info.version < 1) {
        return; // no map: no free RAM
    }
    const auto *entries =
        // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
        reinterpret_cast<const hvm_memmap_table_entry *>(info.memmap_paddr);
    const auto image_end = reinterpret_cast<std::uintptr_t>(bss_end);
    for (std::uint32_t i = 0; i < info.memmap_entries; ++i) {
        const hvm_memmap_table_entry &entry = entries[i];
        std::uint64_t begin = page_up(entry.addr);
        const std::uint64_t end =
            (entry.addr + entry.size) & ~(abi::kPageSize - 1);
        if (begin < image_end) {
            begin = image_end; // the linker script aligns it
        }
        if (entry.type != XEN_HVM_MEMMAP_TYPE_RAM || begin >= end) {
            continue;
        }
        if (ram.count == kMaxRamRanges) {
            error("more than ", kMaxRamRanges, " ranges of RAM");
        }
        ram.range[ram.count++] = {begin, end};
    }
}

const RamRanges &free_ram()
{
    return ram;
}

void map_all_ram()
{
    std::uint64_t top = 0;
    for (const RamRange &range : ram) {
        top = range.end > top ? range.end : top;
    }
    if (top > kMaxGiB * kGiB) {
        error("RAM up to ", Hex{top}, ", more than ", kMaxGiB, " GiB");
    }
    for (std::size_t gib = kBootGiB; gib * kGiB < top; ++gib) {
        PageDirectory &directory = upper[gib - kBootGiB];
        for (std::size_t i = 0; i < kEntries; ++i) {
            directory.entry[i] =
                (gib * kGiB + i * kLargePage) | kPresentWriteLarge;
        }
        boot_pdpt[gib] =
            reinterpret_cast<std::uintptr_t>(&directory) | kPresentWrite;
    }
}

std::uint64_t touch_all_ram()
{
    const std::uint64_t start = rdtsc();
    for (const RamRange &range : ram) {
        for (std::uint64_t at = range.begin; at < range.end;
             at += abi::kPageSize) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): RAM as the map says.
            *reinterpret_cast<volatile std::uint64_t *>(at + abi::kPageSize -
                                                        sizeof(at)) = at;
        }
    }
    return rdtsc() - start;
}

} // namespace xovl::guest
