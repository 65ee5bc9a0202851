// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's text output, and input of single bytes, by polling.
//
//     print("READY mapped=", Hex{gpa}, "\n");
//
// Output goes to COM1. Where there is none (a PVH guest on Xen itself) it goes
// to port 0xe9, which Xen puts on its own console.
#pragma once

#include <concepts>
#include <cstdint>

namespace xovl::guest
{

void console_init();
[[nodiscard]] bool console_present();

// Waits for a byte from COM1 and consumes it. False, at once, without COM1.
[[nodiscard]] bool console_wait_for_byte();

// The next byte from COM1, waited for. 0, at once, without COM1.
[[nodiscard]] char console_read_byte();

// Whether the next one is there, and whether COM1 has its pin up while it is.
[[nodiscard]] bool console_has_byte();
void console_announce_bytes(bool on);

// Returns when COM1 has sent all it was given, so that nothing is lost when
// the machine goes away.
void console_drain();

// Ends the current line, if something is on it.
void start_line();

// A number to print as 0x...
struct Hex {
    std::uint64_t value;
};

void print_one(const char *text);
void print_one(Hex number);
void print_unsigned(std::uint64_t number);
void print_signed(std::int64_t number);

void print_one(std::unsigned_integral auto number)
{
    print_unsigned(number);
}

void print_one(std::signed_integral auto number)
{
    print_signed(number);
}

template <typename... Parts>
void print(const Parts &...parts)
{
    (print_one(parts), ...);
}

} // namespace xovl::guest
