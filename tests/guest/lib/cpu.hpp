// SPDX-License-Identifier: GPL-2.0-or-later
// The x86 instructions a guest needs and C++ has no words for.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// The guest's `unsigned long`, as Xen's structures have it: 64 or 32 bits.
using Word = std::uintptr_t;

inline void outb(std::uint16_t port, std::uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

inline std::uint8_t inb(std::uint16_t port)
{
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline void outw(std::uint16_t port, std::uint16_t value)
{
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};

inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0)
{
    CpuidResult r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

inline void wrmsr(std::uint32_t msr, std::uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"(static_cast<std::uint32_t>(value)),
                   "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}

// With a fence on either side: what is measured is a hypercall, and neither it
// nor the next read may slide past the clock.
inline std::uint64_t rdtsc()
{
    std::uint32_t low, high;
    asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
}

inline Word read_cr2()
{
    Word value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

inline void invlpg(Word address)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what it wants.
    asm volatile("invlpg %0"
                 :
                 : "m"(*reinterpret_cast<char *>(address))
                 : "memory");
}

inline void pause()
{
    asm volatile("pause" : : : "memory");
}

// Lets some time go by, without PAUSE: hypervisors take that for a wish to give
// the CPU to another.
inline void spin(std::uint32_t iterations)
{
    for (; iterations != 0; --iterations) {
        asm volatile("" : : : "memory");
    }
}

// Interrupts are off in these guests, but in the two functions that follow.

// Halts until an interrupt has been handled. One that came before is handled
// first: sti takes effect only behind the instruction that follows it.
inline void halt_once()
{
    asm volatile("sti; hlt; cli" : : : "memory", "cc");
}

// Handles an interrupt if there is one.
inline void let_interrupts_in()
{
    asm volatile("sti; nop; nop; cli" : : : "memory", "cc");
}

// The loop is there for an NMI.
[[noreturn]] inline void halt_forever()
{
    for (;;) {
        asm volatile("cli; hlt" : : : "memory");
    }
}

} // namespace xovl::guest
