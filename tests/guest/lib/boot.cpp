// SPDX-License-Identifier: GPL-2.0-or-later
// From entry.S to guest_main(), in the order in which things can report.
#include "console.hpp"
#include "guest_main.hpp"
#include "interrupts.hpp"
#include "report.hpp"
#include "start_info.hpp"

namespace xovl::guest
{

extern "C" [[noreturn]] void guest_boot(const hvm_start_info *info)
{
    console_init();
    interrupts_init();
    start_info_init(info);
    guest_main();
    error("guest_main returned without a verdict");
}

} // namespace xovl::guest
