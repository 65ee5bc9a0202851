// SPDX-License-Identifier: GPL-2.0-or-later
// The functions that compilers call without being asked.
//
// GCC and clang may emit calls of the first four for plain assignments, loops
// and comparisons even with -ffreestanding, and of abort() for undefined
// behaviour they have noticed. The string instructions keep them from turning
// these very bodies into calls of themselves.
#include <cstddef>

#include "report.hpp"

extern "C" {

void *memcpy(void *to, const void *from, std::size_t size)
{
    void *const result = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, std::size_t size)
{
    char *d = static_cast<char *>(to);
    const char *s = static_cast<const char *>(from);
    if (d <= s || d >= s + size) {
        return memcpy(to, from, size);
    }
    d += size - 1;
    s += size - 1;
    asm volatile("std; rep movsb; cld"
                 : "+D"(d), "+S"(s), "+c"(size)
                 :
                 : "memory");
    return to;
}

void *memset(void *to, int value, std::size_t size)
{
    void *const result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *left, const void *right, std::size_t size)
{
    const auto *l = static_cast<const volatile unsigned char *>(left);
    const auto *r = static_cast<const volatile unsigned char *>(right);
    for (; size != 0; --size, ++l, ++r) {
        const int difference = *l - *r;
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

[[noreturn]] void abort()
{
    xovl::guest::error("abort() called");
}
}
