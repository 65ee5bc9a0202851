// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting, by the TSC: the one clock that every VMM gives a guest.
#pragma once

#include <cstdint>

namespace xovl::guest
{

// How long a tick is, as a vcpu_info's time says it. (Xen's CPUID leaves have
// the frequency, too, but QEMU 10.0 and KVM between them put something else
// there.) Until this is called, ticks are taken for short, and waits are long.
void time_set_scale(std::uint32_t tsc_to_system_mul, std::int8_t tsc_shift);

class Deadline
{
public:
    explicit Deadline(std::uint32_t milliseconds);
    [[nodiscard]] bool passed() const;

private:
    std::uint64_t end_;
};

void wait_ms(std::uint32_t milliseconds);

// True as soon as `condition()` is; false if it is not within the time.
template <typename Condition>
[[nodiscard]] bool wait_until(std::uint32_t milliseconds, Condition condition)
{
    const Deadline deadline(milliseconds);
    while (!condition()) {
        if (deadline.passed()) {
            return condition();
        }
        asm volatile("pause" : : : "memory");
    }
    return true;
}

} // namespace xovl::guest
