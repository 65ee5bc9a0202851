// SPDX-License-Identifier: GPL-2.0-or-later
// The items, by number. Each stands, with what Xen does and where, in the file
// of its subject.
#pragma once

#include "item.hpp"

namespace xovl::guest
{

// mapping.cpp
void map_in_ram(Item &);             // C-01
void bad_index(Item &);              // C-02
void invalid_gfn(Item &);            // C-03
void gfn_too_wide(Item &);           // C-04
void gfn_truncated(Item &);          // C-05
void content_moves(Item &);          // C-06
void old_place_is_left(Item &);      // C-07
void same_place_again(Item &);       // C-08
void grant_frame_same_place(Item &); // C-09
void map_in_hole(Item &);            // C-10
void map_in_pam(Item &);             // C-11
void remove(Item &);                 // C-12
void event_while_unmapped(Item &);   // C-13
void batch(Item &);                  // C-17
void batch_refusals(Item &);         // C-18

// races.cpp
void remap_loses_nothing(Item &); // C-14
void ram_under_remap(Item &);     // C-15
void wallclock_not_torn(Item &);  // C-39

// vcpu_info.cpp
void default_slots(Item &);              // C-19
void register_self(Item &);              // C-20
void register_raises_upcall(Item &);     // C-21
void register_twice(Item &);             // C-22
void register_across_pages(Item &);      // C-23
void register_misaligned(Item &);        // C-24
void register_at_hole(Item &);           // C-25
void register_at_mmio(Item &);           // C-26
void register_bad_arguments(Item &);     // C-27
void register_stopped(Item &);           // C-28
void register_running(Item &);           // C-29
void registration_survives_init(Item &); // C-30
void register_without_slot(Item &);      // C-31
void unregistered_without_slot(Item &);  // C-32
void time_after_registration(Item &);    // C-33
void remap_leaves_registered(Item &);    // C-34

// latch.cpp
void wallclock_is_there(Item &);          // C-35
void callback_rewrites_wallclock(Item &); // C-38
void no_stray_wallclock(Item &);          // C-40
void latch_back_and_forth(Item &);        // C-41

// sleep.cpp
void sleep_keeps_all(Item &); // C-45

// reset.cpp
void soft_reset_at_zero(Item &);        // C-16
void soft_reset(Item &);                // C-42
void soft_reset_is_synchronous(Item &); // C-43
void full_reset(Item &);                // C-44
void host_needed(Item &);               // C-36, C-37

} // namespace xovl::guest
