// SPDX-License-Identifier: GPL-2.0-or-later
// What the loader handed over, and the options on the command line.
//
//     const std::uint64_t loops = option("loops", 100);
//     const bool wait = option("wait", 0) != 0;
//     end_of_options();
//
// An option is `key=number`, decimal or 0x hex; options are separated by
// spaces.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// NOLINTBEGIN(readability-identifier-naming): these are Xen's names.

// struct hvm_start_info of xen/include/public/arch-x86/hvm/start_info.h, as
// far as it is used here.
struct hvm_start_info {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t flags;
    std::uint32_t nr_modules;
    std::uint64_t modlist_paddr;
    std::uint64_t cmdline_paddr;
    std::uint64_t rsdp_paddr;
    std::uint64_t memmap_paddr; // from version 1 on, as all below
    std::uint32_t memmap_entries;
    std::uint32_t reserved;
};

static_assert(sizeof(hvm_start_info) == 56);

struct hvm_memmap_table_entry {
    std::uint64_t addr;
    std::uint64_t size;
    std::uint32_t type;
    std::uint32_t reserved;
};

static_assert(sizeof(hvm_memmap_table_entry) == 24);

inline constexpr std::uint32_t XEN_HVM_MEMMAP_TYPE_RAM = 1;

inline constexpr std::uint32_t XEN_HVM_START_MAGIC_VALUE = 0x336ec578;

// NOLINTEND(readability-identifier-naming)

// Copies the command line: the loader's memory is free for the taking, and a
// guest may map something over it.
void start_info_init(const hvm_start_info *info);

// As the loader left it; only until something is written to where that is.
const hvm_start_info &start_info();

// Where ACPI's tables begin (RSDP); 0 if there are none.
[[nodiscard]] std::uint64_t rsdp();

// The value of `key=` on the command line, or `otherwise` if it is not there.
// Prints the outcome, so that a log says what was run. A value that is not a
// number, or a key given twice, ends the guest with an error.
std::uint64_t option(const char *key, std::uint64_t otherwise);

// The same for a set of numbers below 64, `key=1-13,17`: bit n stands for n.
std::uint64_t option_set(const char *key, std::uint64_t otherwise);

// The address of a page below 4 GiB, some way behind the end of RAM, of which
// the loader's memory map says nothing: a hole.
[[nodiscard]] std::uint64_t memory_hole();

// Ends the guest with an error if there is a word on the command line that no
// call of option() asked for: a test must not pass on a misspelt option.
void end_of_options();

} // namespace xovl::guest
