// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the command line out of the PVH start info.
#include "start_info.hpp"

#include <cstddef>

#include "console.hpp"
#include "report.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::size_t kMaxCommandLine = 1024;

// Words are separated by '\0' once start_info_init() is through; the first
// byte of a word that option() has taken is kTaken.
char command_line[kMaxCommandLine];
std::size_t command_line_size;
constexpr char kTaken = '\1';

// The next word at or behind `position`, or nullptr.
char *word_from(std::size_t &position)
{
    while (position < command_line_size && command_line[position] == '\0') {
        ++position;
    }
    if (position == command_line_size) {
        return nullptr;
    }
    char *word = &command_line[position];
    while (position < command_line_size && command_line[position] != '\0') {
        ++position;
    }
    return word;
}

// What follows `key=` in `word`, or nullptr if it is some other word.
const char *value_of(const char *word, const char *key)
{
    while (*key && *word == *key) {
        ++word;
        ++key;
    }
    return *key == '\0' && *word == '=' ? word + 1 : nullptr;
}

int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return 16;
}

bool parse(const char *text, std::uint64_t &number)
{
    int base = 10;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (*text == '\0') {
        return false;
    }
    for (number = 0; *text; ++text) {
        const int digit = digit_value(*text);
        if (digit >= base ||
            __builtin_mul_overflow(number, std::uint64_t(base), &number) ||
            __builtin_add_overflow(number, std::uint64_t(digit), &number)) {
            return false;
        }
    }
    return true;
}

} // namespace

void start_info_init(const hvm_start_info *info)
{
    if (info->magic != XEN_HVM_START_MAGIC_VALUE) {
        error("no PVH start info: magic is ", Hex{info->magic});
    }
    if (info->cmdline_paddr == 0) {
        return;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    const char *from = reinterpret_cast<const char *>(info->cmdline_paddr);
    while (from[command_line_size] != '\0') {
        if (command_line_size == kMaxCommandLine - 1) {
            error("command line longer than ", kMaxCommandLine - 1);
        }
        const char c = from[command_line_size];
        command_line[command_line_size++] = c == ' ' ? '\0' : c;
    }
}

std::uint64_t option(const char *key, std::uint64_t otherwise)
{
    std::uint64_t number = otherwise;
    bool found = false;
    std::size_t position = 0;
    while (char *word = word_from(position)) {
        const char *value = value_of(word, key);
        if (!value) {
            continue;
        }
        if (found) {
            error("option ", key, " is given twice");
        }
        if (!parse(value, number)) {
            error("option ", key, " is not a number: '", value, "'");
        }
        found = true;
        *word = kTaken;
    }
    print("option ", key, "=", number, found ? "\n" : " (default)\n");
    return number;
}

void end_of_options()
{
    std::size_t position = 0;
    while (const char *word = word_from(position)) {
        if (*word != kTaken) {
            error("unknown option '", word, "'");
        }
    }
}

} // namespace xovl::guest
