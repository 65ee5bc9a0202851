// SPDX-License-Identifier: GPL-2.0-or-later
// Physmap: which of Xen's own pages show in the guest's memory, and where.
//
// A plain value.  What a hypercall asks for is worked out on a copy, item by
// item, and then carried out as one change (Overlay::rearrange): whatever a
// batch says, a page moves once at most.
#pragma once

#include <map>
#include <optional>

#include "abi/types.hpp"
#include "core/ports.hpp"

namespace xovl::core
{

class Physmap
{
public:
    using Places = std::map<Page, abi::Gpa>;

    [[nodiscard]] std::optional<abi::Gpa> where(Page page) const
    {
        const auto it = places_.find(page);
        return it == places_.end() ? std::nullopt : std::optional(it->second);
    }

    // What shows at `gpa`.
    [[nodiscard]] std::optional<Page> at(abi::Gpa gpa) const
    {
        const auto it = pages_.find(gpa);
        return it == pages_.end() ? std::nullopt : std::optional(it->second);
    }

    // As Xen does it: a page shows in one place, the last it was put to, and
    // a page of Xen's that was there shows nowhere from then on
    // (xen/arch/x86/mm/p2m.c, xenmem_add_to_physmap_one).
    void put(Page page, abi::Gpa gpa)
    {
        if (const auto before = at(gpa)) {
            remove(*before);
        }
        remove(page);
        places_.emplace(page, gpa);
        pages_.emplace(gpa, page);
    }

    void remove(Page page)
    {
        if (const auto place = where(page)) {
            pages_.erase(*place);
            places_.erase(page);
        }
    }

    [[nodiscard]] const Places &places() const { return places_; }

    friend bool operator==(const Physmap &, const Physmap &) = default;

private:
    // The same from both ends: a grant table may have thousands of frames, and
    // a batch asks for each of its items.
    Places places_;
    std::map<abi::Gpa, Page> pages_;
};

} // namespace xovl::core
