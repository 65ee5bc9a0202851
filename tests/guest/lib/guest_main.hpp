// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest defines: its name and what it does.
#pragma once

namespace xovl::guest
{

// The name in the verdict line; the same as the guest's folder.
const char *guest_name();

// Called once, with paging on, on the first vCPU, with interrupts off, the
// first 4 GiB mapped one to one and the console ready. Ends with pass(),
// fail(), skip() or error() of report.hpp; to return is an error.
void guest_main();

} // namespace xovl::guest
