// SPDX-License-Identifier: GPL-2.0-or-later
// CPU exceptions end a guest with a readable error, not with a triple fault.
#pragma once

namespace xovl::guest
{

void exceptions_init();

} // namespace xovl::guest
