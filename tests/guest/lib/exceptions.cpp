// SPDX-License-Identifier: GPL-2.0-or-later
// IDT, and a TSS whose only use is a stack that exceptions can count on.
#include "exceptions.hpp"

#include <cstddef>
#include <cstdint>

#include "cpu.hpp"
#include "report.hpp"

extern "C" {
extern std::uint64_t boot_gdt[];
void exception_entries(); // the first of them; not to be called
}

namespace xovl::guest
{

namespace
{

constexpr std::size_t kVectors = 32;
constexpr std::size_t kEntrySize = 16;
constexpr std::uint16_t kCodeSelector = 0x08;
constexpr std::size_t kTssSlot = 3;
constexpr std::uint64_t kPresent = 0x80;
constexpr std::uint64_t kInterruptGate = 0x0e;
constexpr std::uint64_t kAvailableTss = 0x09;

struct Gate {
    std::uint64_t low, high;
};

struct [[gnu::packed]] Tss {
    std::uint32_t reserved0;
    std::uint64_t rsp[3];
    std::uint64_t reserved1;
    std::uint64_t ist[7];
    std::uint64_t reserved2;
    std::uint16_t reserved3;
    std::uint16_t io_map_base;
};

static_assert(sizeof(Tss) == 104);

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    std::uint64_t base;
};

// What exception_entry.S and the CPU leave on the stack, lowest first.
struct Frame {
    std::uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

alignas(16) Gate idt[kVectors];
alignas(16) char exception_stack[8192];
Tss tss;
bool reporting;

} // namespace

void exceptions_init()
{
    for (std::size_t vector = 0; vector < kVectors; ++vector) {
        const auto entry =
            reinterpret_cast<std::uintptr_t>(&exception_entries) +
            vector * kEntrySize;
        constexpr std::uint64_t ist = 1;
        idt[vector] = {(entry & 0xffff) | std::uint64_t{kCodeSelector} << 16 |
                           ist << 32 | (kPresent | kInterruptGate) << 40 |
                           (entry >> 16 & 0xffff) << 48,
                       entry >> 32};
    }

    tss.ist[0] = reinterpret_cast<std::uintptr_t>(exception_stack) +
                 sizeof(exception_stack);
    tss.io_map_base = sizeof(Tss);
    const auto base = reinterpret_cast<std::uintptr_t>(&tss);
    boot_gdt[kTssSlot] = (sizeof(Tss) - 1) | (base & 0xffffff) << 16 |
                         (kPresent | kAvailableTss) << 40 |
                         (base >> 24 & 0xff) << 56;
    boot_gdt[kTssSlot + 1] = base >> 32;

    const TablePointer pointer{sizeof(idt) - 1,
                               reinterpret_cast<std::uintptr_t>(idt)};
    const auto tss_selector = static_cast<std::uint16_t>(kTssSlot * 8);
    asm volatile("lidt %0" : : "m"(pointer) : "memory");
    asm volatile("ltr %0" : : "r"(tss_selector) : "memory");
}

extern "C" [[noreturn]] void exception_report(const Frame *frame)
{
    // The stack is shared by all vectors: an exception in here would come back
    // for ever.
    if (reporting) {
        start_line();
        print("exception ", frame->vector, " while reporting one\n");
        halt_forever();
    }
    reporting = true;
    error("exception ", frame->vector, " error_code=", Hex{frame->error_code},
          " rip=", Hex{frame->rip}, " cr2=", Hex{read_cr2()},
          " rsp=", Hex{frame->rsp});
}

} // namespace xovl::guest
