// SPDX-License-Identifier: GPL-2.0-or-later
// COM1 (a 16550 at 0x3f8) by polling, else Xen's port 0xe9; number formatting.
#include "console.hpp"

#include "cpu.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint16_t kCom1 = 0x3f8;
constexpr std::uint16_t kData = kCom1 + 0;
constexpr std::uint16_t kInterruptEnable = kCom1 + 1;
constexpr std::uint16_t kFifoControl = kCom1 + 2;
constexpr std::uint16_t kLineControl = kCom1 + 3;
constexpr std::uint16_t kModemControl = kCom1 + 4;
constexpr std::uint16_t kLineStatus = kCom1 + 5;
constexpr std::uint16_t kScratch = kCom1 + 7;

constexpr std::uint8_t kDataReady = 0x01;
constexpr std::uint8_t kTransmitterTakes = 0x20;
constexpr std::uint8_t kTransmitterIdle = 0x40;

constexpr std::uint16_t kXenConsole = 0xe9;

bool has_com1;
bool at_line_start = true;

void put(char c)
{
    at_line_start = c == '\n';
    if (!has_com1) {
        outb(kXenConsole, static_cast<std::uint8_t>(c));
        return;
    }
    while (!(inb(kLineStatus) & kTransmitterTakes)) {
        pause();
    }
    outb(kData, static_cast<std::uint8_t>(c));
}

} // namespace

void console_init()
{
    // A port that nobody decodes reads as all ones whatever was written.
    outb(kScratch, 0x5a);
    has_com1 = inb(kScratch) == 0x5a;
    if (!has_com1) {
        return;
    }
    outb(kInterruptEnable, 0);
    outb(kLineControl, 0x80); // the next two writes are the baud divisor
    outb(kData, 1);           // 115200
    outb(kInterruptEnable, 0);
    outb(kLineControl, 0x03);  // 8N1
    outb(kFifoControl, 0x01);  // FIFO on; what arrived early stays in it
    outb(kModemControl, 0x03); // DTR, RTS
}

bool console_present()
{
    return has_com1;
}

bool console_wait_for_byte()
{
    (void)console_read_byte();
    return has_com1;
}

char console_read_byte()
{
    if (!has_com1) {
        return '\0';
    }
    while (!console_has_byte()) {
        pause();
    }
    return static_cast<char>(inb(kData));
}

bool console_has_byte()
{
    return has_com1 && (inb(kLineStatus) & kDataReady) != 0;
}

void console_announce_bytes(bool on)
{
    if (has_com1) {
        outb(kModemControl, 0x0b); // DTR, RTS, and OUT2: the interrupt's pin
        outb(kInterruptEnable, on ? 0x01 : 0x00);
    }
}

void console_drain()
{
    while (has_com1 && !(inb(kLineStatus) & kTransmitterIdle)) {
        pause();
    }
}

void start_line()
{
    if (!at_line_start) {
        put('\n');
    }
}

void print_one(const char *text)
{
    for (; *text; ++text) {
        put(*text);
    }
}

void print_one(Hex number)
{
    print_one("0x");
    int shift = 60;
    while (shift > 0 && (number.value >> shift) == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[number.value >> shift & 0xf]);
    }
}

void print_unsigned(std::uint64_t number)
{
    char digits[21]; // 2^64 has 20
    char *first = digits + sizeof(digits) - 1;
    *first = '\0';
    do {
        *--first = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print_one(first);
}

void print_signed(std::int64_t number)
{
    if (number < 0) {
        put('-');
        print_unsigned(-static_cast<std::uint64_t>(number));
        return;
    }
    print_unsigned(static_cast<std::uint64_t>(number));
}

} // namespace xovl::guest
