// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the command line out of the PVH start info.
#include "start_info.hpp"

#include <cstddef>

#include "console.hpp"
#include "cpu.hpp"
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

std::uint64_t hole;
const hvm_start_info *loaded;
std::uint64_t loaded_rsdp;

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

// The word of `key=`, marked as taken, or nullptr; its value in `value`.
const char *take(const char *key)
{
    const char *taken = nullptr;
    std::size_t position = 0;
    while (char *word = word_from(position)) {
        const char *value = value_of(word, key);
        if (!value) {
            continue;
        }
        if (taken) {
            error("option ", key, " is given twice");
        }
        taken = value;
        *word = kTaken;
    }
    return taken;
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

// Takes a decimal number below 64 off the front of `text`.
bool parse_member(const char *&text, unsigned &number)
{
    const char *const first = text;
    for (number = 0; digit_value(*text) < 10 && number < 64; ++text) {
        number = number * 10 + static_cast<unsigned>(digit_value(*text));
    }
    return text != first && number < 64;
}

bool parse_set(const char *text, std::uint64_t &set)
{
    set = 0;
    for (;;) {
        unsigned first, last;
        if (!parse_member(text, first)) {
            return false;
        }
        last = first;
        if (*text == '-' && !parse_member(++text, last)) {
            return false;
        }
        for (; first <= last; ++first) {
            set |= std::uint64_t{1} << first;
        }
        if (*text == '\0') {
            return true;
        }
        if (*text++ != ',') {
            return false;
        }
    }
}

void find_hole(const hvm_start_info &info)
{
    constexpr std::uint64_t kBehind = 16 << 20;
    constexpr std::uint64_t k4GiB = std::uint64_t{1} << 32;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    const auto *const map = reinterpret_cast<const hvm_memmap_table_entry *>(
        static_cast<Word>(info.memmap_paddr));
    for (std::uint32_t i = 0; i < info.memmap_entries; ++i) {
        const std::uint64_t behind = map[i].addr + map[i].size + kBehind;
        if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && behind < k4GiB &&
            behind > hole) {
            hole = behind;
        }
    }
    for (std::uint32_t i = 0; i < info.memmap_entries; ++i) {
        if (hole >= map[i].addr && hole - map[i].addr < map[i].size) {
            hole = 0;
        }
    }
    hole &= ~std::uint64_t{0xfff};
}

} // namespace

void start_info_init(const hvm_start_info *info)
{
    loaded = info;
    loaded_rsdp = info->rsdp_paddr;
    if (info->magic != XEN_HVM_START_MAGIC_VALUE) {
        error("no PVH start info: magic is ", Hex{info->magic});
    }
    if (info->version >= 1) {
        find_hole(*info);
    }
    if (info->cmdline_paddr == 0) {
        return;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    const char *from =
        reinterpret_cast<const char *>(static_cast<Word>(info->cmdline_paddr));
    while (from[command_line_size] != '\0') {
        if (command_line_size == kMaxCommandLine - 1) {
            error("command line longer than ", kMaxCommandLine - 1);
        }
        const char c = from[command_line_size];
        command_line[command_line_size++] = c == ' ' ? '\0' : c;
    }
}

const hvm_start_info &start_info()
{
    return *loaded;
}

std::uint64_t rsdp()
{
    return loaded_rsdp;
}

std::uint64_t option(const char *key, std::uint64_t otherwise)
{
    std::uint64_t number = otherwise;
    const char *const value = take(key);
    if (value && !parse(value, number)) {
        error("option ", key, " is not a number: '", value, "'");
    }
    print("option ", key, "=", number, value ? "\n" : " (default)\n");
    return number;
}

std::uint64_t option_set(const char *key, std::uint64_t otherwise)
{
    std::uint64_t set = otherwise;
    const char *const value = take(key);
    if (value && !parse_set(value, set)) {
        error("option ", key, " is not a set like 1-13,17: '", value, "'");
    }
    print("option ", key, "=", value ? value : "(default)", "\n");
    return set;
}

std::uint64_t memory_hole()
{
    if (hole == 0) {
        error("the loader's memory map shows no hole behind RAM");
    }
    return hole;
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
