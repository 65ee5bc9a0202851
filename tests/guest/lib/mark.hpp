// SPDX-License-Identifier: GPL-2.0-or-later
// Marks in what a guest executes, for somebody who watches the machine's
// instructions (tools/profiler/plugin/count.c). To the guest they are nothing.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// What is executed from here on counts as `kNumber`'s, which is not 0.
template <std::uint16_t kNumber>
void mark_begin()
{
    static_assert(kNumber != 0);
    asm volatile(".byte 0x0f, 0x1f, 0x80; .long %c0" // nopl NUMBER(%rax)
                 :
                 : "i"(0x584f0000 + kNumber)
                 : "memory");
}

inline void mark_end()
{
    asm volatile(".byte 0x0f, 0x1f, 0x80; .long 0x584f0000" : : : "memory");
}

} // namespace xovl::guest
