// SPDX-License-Identifier: GPL-2.0-or-later
// Suspend to RAM (ACPI S3), and wakeup by the RTC's alarm.
#pragma once

namespace xovl::guest
{

// Called on the first CPU. Returns when it is awake again, with the other CPUs
// as after power-on: they wait for a SIPI. False, and nothing happened, if the
// machine has not what it takes.
[[nodiscard]] bool sleep_to_ram();

} // namespace xovl::guest
