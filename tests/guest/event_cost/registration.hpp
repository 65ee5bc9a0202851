// SPDX-License-Identifier: GPL-2.0-or-later
// vcpu_info is registered for each vCPU, which is called there afterwards.
// Each registration is marked for who counts instructions by address (mark.hpp;
// tools/profile).
#pragma once

namespace xovl::guest
{

// By vCPU 0.
void register_all();

// Each vCPU by itself, one after the other; or each does nothing.
void each_registers_itself();
void each_does_nothing();

void print_registrations();

} // namespace xovl::guest
