// SPDX-License-Identifier: GPL-2.0-or-later
// The firmware is where a CPU wakes up. It finds in a table of ACPI's where the
// guest wants to go on: in real mode, at the place where application processors
// come in, too.
#include "sleep.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "console.hpp"
#include "cpu.hpp"
#include "smp.hpp"
#include "start_info.hpp"

namespace xovl::guest
{

namespace
{

// Offsets in ACPI's tables: RSDP, header and RSDT, FADT, FACS.
constexpr std::size_t kRsdtOfRsdp = 16;
constexpr std::size_t kLength = 4;
constexpr std::size_t kHeaderSize = 36;
constexpr std::size_t kFacs = 36;
constexpr std::size_t kPm1aEvent = 56;
constexpr std::size_t kPm1aControl = 64;
constexpr std::size_t kWakingVector = 12;
constexpr std::size_t kWakingVector64 = 24;
constexpr std::uint32_t kFadtSignature = 0x50434146; // "FACP"

// PM1 enable is the upper half of the event block, which has 4 bytes.
constexpr std::uint16_t kEnable = 2;
constexpr std::uint16_t kRtcEnable = 1 << 10;
// SLP_EN, and SLP_TYPa as QEMU's and SeaBIOS's _S3 says it.
constexpr std::uint16_t kSleepS3 = 1 << 13 | 1 << 10;

constexpr std::uint8_t kSeconds = 0x00, kSecondsAlarm = 0x01,
                       kMinutesAlarm = 0x03, kHoursAlarm = 0x05,
                       kStatusB = 0x0b, kStatusC = 0x0c;
constexpr std::uint8_t kAny = 0xc0;
constexpr std::uint8_t kAlarmEnable = 0x20, kBinary = 0x04;
constexpr unsigned kSleepSeconds = 3;

void *context[5];

std::uint32_t read32(std::uint32_t address)
{
    std::uint32_t value;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    std::memcpy(&value, reinterpret_cast<const void *>(Word{address}),
                sizeof(value));
    return value;
}

void write32(std::uint32_t address, std::uint32_t value)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    std::memcpy(reinterpret_cast<void *>(Word{address}), &value,
                sizeof(value));
}

// 0 if there is none.
std::uint32_t find_fadt()
{
    if (rsdp() == 0) {
        return 0;
    }
    const std::uint32_t rsdt =
        read32(static_cast<std::uint32_t>(rsdp()) + kRsdtOfRsdp);
    if (rsdt == 0) {
        return 0;
    }
    const std::uint32_t end = rsdt + read32(rsdt + kLength);
    for (std::uint32_t at = rsdt + kHeaderSize; at + 4 <= end; at += 4) {
        if (read32(read32(at)) == kFadtSignature) {
            return read32(at);
        }
    }
    return 0;
}

std::uint8_t cmos(std::uint8_t index)
{
    outb(0x70, index);
    return inb(0x71);
}

void set_cmos(std::uint8_t index, std::uint8_t value)
{
    outb(0x70, index);
    outb(0x71, value);
}

void set_alarm()
{
    const bool binary = (cmos(kStatusB) & kBinary) != 0;
    const unsigned now = cmos(kSeconds);
    const unsigned seconds =
        ((binary ? now : (now >> 4) * 10 + (now & 0xf)) + kSleepSeconds) % 60;
    set_cmos(kSecondsAlarm, static_cast<std::uint8_t>(
                                binary ? seconds
                                       : (seconds / 10) << 4 | seconds % 10));
    set_cmos(kMinutesAlarm, kAny);
    set_cmos(kHoursAlarm, kAny);
    (void)cmos(kStatusC);
    set_cmos(kStatusB, cmos(kStatusB) | kAlarmEnable);
}

void wake_up()
{
    __builtin_longjmp(context, 1);
}

// Apart from the function that can be returned to twice.
[[gnu::noinline]] void fall_asleep(std::uint16_t control)
{
    outw(control, kSleepS3);
    halt_forever();
}

} // namespace

[[gnu::noinline]] bool sleep_to_ram()
{
    const std::uint32_t fadt = find_fadt();
    if (fadt == 0) {
        return false;
    }
    const std::uint32_t facs = read32(fadt + kFacs);
    const auto event = static_cast<std::uint16_t>(read32(fadt + kPm1aEvent));
    const auto control =
        static_cast<std::uint16_t>(read32(fadt + kPm1aControl));
    if (facs == 0 || event == 0 || control == 0) {
        return false;
    }
    write32(facs + kWakingVector, smp_entry());
    write32(facs + kWakingVector64, 0);
    write32(facs + kWakingVector64 + 4, 0);
    console_drain();
    if (__builtin_setjmp(context) == 0) {
        smp_set_wakeup(wake_up);
        set_alarm();
        outw(event + kEnable, kRtcEnable);
        fall_asleep(control);
    }
    smp_set_wakeup(nullptr);
    set_cmos(kStatusB,
             static_cast<std::uint8_t>(cmos(kStatusB) & ~kAlarmEnable));
    console_init();
    return true;
}

} // namespace xovl::guest
