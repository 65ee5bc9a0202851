// SPDX-License-Identifier: GPL-2.0-or-later
#include "lapic.hpp"

#include "cpu.hpp"

namespace xovl::guest
{

namespace
{

constexpr Word kLapic = 0xfee00000;
constexpr Word kId = 0x20;
constexpr Word kTaskPriority = 0x80;
constexpr Word kEndOfInterrupt = 0xb0;
constexpr Word kSpurious = 0xf0;
constexpr Word kCommandLow = 0x300;
constexpr Word kCommandHigh = 0x310;
constexpr Word kTimer = 0x320;
constexpr Word kTimerTicks = 0x380;
constexpr Word kTimerDivider = 0x3e0;

constexpr std::uint32_t kEnabled = 1 << 8;
constexpr std::uint32_t kSpuriousVector = 0xff;
constexpr std::uint32_t kInit = 5 << 8;
constexpr std::uint32_t kStartup = 6 << 8;
constexpr std::uint32_t kBusy = 1 << 12;
constexpr std::uint32_t kAssert = 1 << 14;
constexpr std::uint32_t kAllOthers = 3 << 18;
constexpr std::uint32_t kPeriodic = 1 << 17;
constexpr std::uint32_t kUndivided = 0xb;

constexpr Word kIoapic = 0xfec00000;
constexpr Word kIoapicSelect = 0x00;
constexpr Word kIoapicWindow = 0x10;
constexpr std::uint32_t kIoapicVersion = 1;
constexpr std::uint32_t kIoapicTable = 0x10;
constexpr std::uint32_t kLevelTriggered = 1 << 15;
constexpr std::uint32_t kMasked = 1 << 16;

volatile std::uint32_t &at(Word address)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): physical is virtual here.
    return *reinterpret_cast<volatile std::uint32_t *>(address);
}

void command(std::uint32_t apic_id, std::uint32_t low)
{
    while ((at(kLapic + kCommandLow) & kBusy) != 0) {
        pause();
    }
    at(kLapic + kCommandHigh) = apic_id << 24;
    at(kLapic + kCommandLow) = low;
}

void start_timer(std::uint32_t mode, std::uint32_t ticks)
{
    at(kLapic + kTimerDivider) = kUndivided;
    at(kLapic + kTimer) = mode;
    at(kLapic + kTimerTicks) = ticks;
}

void ioapic_write(std::uint32_t index, std::uint32_t value)
{
    at(kIoapic + kIoapicSelect) = index;
    at(kIoapic + kIoapicWindow) = value;
}

} // namespace

void lapic_init()
{
    at(kLapic + kSpurious) = kEnabled | kSpuriousVector;
    at(kLapic + kTaskPriority) = 0;
}

std::uint32_t lapic_id()
{
    return at(kLapic + kId) >> 24;
}

void lapic_end_of_interrupt()
{
    at(kLapic + kEndOfInterrupt) = 0;
}

void lapic_send_fixed(std::uint32_t apic_id, std::uint8_t vector)
{
    command(apic_id, kAssert | vector);
}

void lapic_send_init(std::uint32_t apic_id)
{
    command(apic_id, kAssert | kInit);
}

void lapic_send_startup(std::uint32_t apic_id, std::uint8_t page)
{
    command(apic_id, kAssert | kStartup | page);
}

void lapic_send_init_to_others()
{
    command(0, kAllOthers | kAssert | kInit);
}

void lapic_send_startup_to_others(std::uint8_t page)
{
    command(0, kAllOthers | kAssert | kStartup | page);
}

void lapic_repeat(std::uint8_t vector, std::uint32_t ticks)
{
    start_timer(kPeriodic | vector, ticks);
}

void lapic_alarm(std::uint8_t vector, std::uint32_t ticks)
{
    start_timer(vector, ticks);
}

bool ioapic_present()
{
    at(kIoapic + kIoapicSelect) = kIoapicVersion;
    return at(kIoapic + kIoapicWindow) != ~std::uint32_t{0};
}

void ioapic_route(unsigned pin, std::uint8_t vector, std::uint32_t apic_id)
{
    ioapic_write(kIoapicTable + 2 * pin + 1, apic_id << 24);
    ioapic_write(kIoapicTable + 2 * pin, kLevelTriggered | vector);
}

void ioapic_mask(unsigned pin)
{
    ioapic_write(kIoapicTable + 2 * pin, kMasked);
}

} // namespace xovl::guest
