// SPDX-License-Identifier: GPL-2.0-or-later
// GuestFrames: at which guest frames a page of Xen's can show.
#pragma once

#include <cerrno>
#include <vector>

#include "abi/types.hpp"
#include "core/result.hpp"

namespace xovl::core
{

// [first, end)
struct FrameRange {
    abi::Gfn first;
    abi::Gfn end;
};

struct GuestFrames {
    // What both the guest and the hypervisor can address.
    unsigned address_bits;
    // Frames where something shows that no page can be put over: the
    // hypervisor's own memory, the local APIC.
    std::vector<FrameRange> taken;

    // Xen's answers: a frame that no page table reaches is -ENOENT (asked of
    // Xen 4.17 with nested paging), one that is the hypervisor's -EPERM.
    [[nodiscard]] Result<abi::Gpa> place_at(abi::Gfn gfn) const
    {
        const auto gpa = abi::address_of(gfn);
        if (!gpa || gpa->value >> address_bits != 0) {
            return Error(-ENOENT);
        }
        for (const FrameRange &range : taken) {
            if (gfn >= range.first && gfn < range.end) {
                return Error(-EPERM);
            }
        }
        return *gpa;
    }
};

} // namespace xovl::core
