// SPDX-License-Identifier: GPL-2.0-or-later
// IDT, and for each CPU a TSS. In long mode that has a stack that exceptions
// can count on; in both modes its selector is the number of the CPU.
#include "interrupts.hpp"

#include <cstddef>
#include <cstdint>

#include "console.hpp"
#include "cpu.hpp"
#include "report.hpp"
#include "selectors.h"

extern "C" {
extern std::uint64_t boot_gdt[];
void interrupt_entries(); // the first of them; not to be called
}

namespace xovl::guest
{

namespace
{

constexpr unsigned kVectors = 256;
constexpr unsigned kExceptions = 32;
constexpr std::size_t kEntrySize = 16;
constexpr std::uint64_t kPresent = 0x80;
constexpr std::uint64_t kInterruptGate = 0x0e;
constexpr std::uint64_t kAvailableTss = 0x09;
constexpr Word kInterruptFlag = 1 << 9;

constexpr std::uint16_t kPicMasters = 0x21;
constexpr std::uint16_t kPicSlaves = 0xa1;

#ifdef __x86_64__
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
#else
struct Gate {
    std::uint64_t low;
};

// Loaded, but with nothing in it: whoever runs in ring 0 keeps its stack.
struct Tss {
    std::uint32_t unused[25];
    std::uint16_t trap;
    std::uint16_t io_map_base;
};
#endif

static_assert(sizeof(Tss) == 104);

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    Word base;
};

// What interrupt_entry.S and the CPU leave on the stack, lowest first.
struct Frame {
#ifdef __x86_64__
    Word r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
#else
    Word di, si, bp, unused, bx, dx, cx, ax;
#endif
    Word vector, error_code, ip, cs, flags, sp, ss;
};

alignas(16) Gate idt[kVectors];
Tss tss[MAX_CPUS];
#ifdef __x86_64__
alignas(16) char exception_stacks[MAX_CPUS][4096];
#endif
InterruptHandler handlers[kVectors];
int reporting;

void load_idt()
{
    const TablePointer pointer{sizeof(idt) - 1, reinterpret_cast<Word>(idt)};
    asm volatile("lidt %0" : : "m"(pointer) : "memory");
}

[[noreturn]] void report_exception(const Frame &frame)
{
    // One exception is enough: the next may be a consequence, and the stack is
    // shared by all vectors.
    if (__atomic_exchange_n(&reporting, 1, __ATOMIC_SEQ_CST) != 0) {
        halt_forever();
    }
    error("exception ", frame.vector, " error_code=", Hex{frame.error_code},
          " ip=", Hex{frame.ip}, " cr2=", Hex{read_cr2()},
          " cpu=", cpu_number());
}

} // namespace

void set_interrupt_handler(unsigned vector, InterruptHandler handler)
{
    handlers[vector] = handler;
}

void interrupts_init()
{
    for (unsigned vector = 0; vector < kVectors; ++vector) {
        const std::uint64_t entry =
            reinterpret_cast<Word>(&interrupt_entries) + vector * kEntrySize;
        // In long mode, exceptions have a stack of their own: IST 1.
        const std::uint64_t ist =
            sizeof(Word) == 8 && vector < kExceptions ? 1 : 0;
        idt[vector].low =
            (entry & 0xffff) | std::uint64_t{CODE_SELECTOR} << 16 | ist << 32 |
            (kPresent | kInterruptGate) << 40 | (entry >> 16 & 0xffff) << 48;
    }
    interrupts_init_cpu(0);

    // Firmware may have left the PIC open, with vectors that are exceptions'.
    outb(kPicMasters, 0xff);
    outb(kPicSlaves, 0xff);
}

void interrupts_init_cpu(unsigned cpu)
{
    Tss &mine = tss[cpu];
#ifdef __x86_64__
    mine.ist[0] = reinterpret_cast<Word>(exception_stacks[cpu]) +
                  sizeof(exception_stacks[cpu]);
#endif
    mine.io_map_base = sizeof(Tss);
    const std::uint64_t base = reinterpret_cast<Word>(&mine);
    const std::size_t slot = FIRST_TSS_SELECTOR / 8 + std::size_t{cpu} * 2;
    boot_gdt[slot] = (sizeof(Tss) - 1) | (base & 0xffffff) << 16 |
                     (kPresent | kAvailableTss) << 40 |
                     (base >> 24 & 0xff) << 56;
    boot_gdt[slot + 1] = 0; // in long mode, the base's upper half

    load_idt();
    const auto selector = static_cast<std::uint16_t>(slot * 8);
    asm volatile("ltr %0" : : "r"(selector) : "memory");
}

unsigned cpu_number()
{
    std::uint16_t selector;
    asm volatile("str %0" : "=r"(selector));
    return (selector - FIRST_TSS_SELECTOR) / 16;
}

extern "C" void interrupt_dispatch(Frame *frame)
{
    if (frame->vector < kExceptions) {
        report_exception(*frame);
    }
    frame->flags &= ~kInterruptFlag;
    if (const InterruptHandler handler = handlers[frame->vector]) {
        handler(static_cast<unsigned>(frame->vector));
    }
}

} // namespace xovl::guest
