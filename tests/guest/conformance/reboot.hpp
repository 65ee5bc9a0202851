// SPDX-License-Identifier: GPL-2.0-or-later
// Across a reset of the machine, for C-44 (`reset=1`).
//
// The first boot ends by leaving traces, and asks Xen for a reboot.
// What it found so far is kept in RAM, which the second boot looks at. On Xen
// itself a reboot makes a new domain with fresh RAM, so the second boot would
// not know that it is the second: there, C-44 is not for this guest.
#pragma once

#include <cstdint>

#include "traces.hpp"

namespace xovl::guest
{

struct Totals {
    std::uint32_t passed, failed, skipped, known;
};

// Whether this is the second boot; then `totals` is what the first had.
[[nodiscard]] bool rebooted();
void take_totals(Totals &totals);

// To be called once, first of all.
void look_for_first_boot();

[[nodiscard]] const Traces &traces_of_first_boot();

[[noreturn]] void reboot(const Totals &totals);

} // namespace xovl::guest
