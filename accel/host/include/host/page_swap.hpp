// SPDX-License-Identifier: GPL-2.0-or-later
// PageSwap: shows one shared page in the place of a private one, elsewhere in
// this process's memory, and keeps what was there.
//
// Where that place is guest RAM, the guest sees the page at the guest frame
// that the host page is behind; KVM's memslots know nothing of it.
//
// What others see at the frame while it is replaced: what was there, then
// perhaps for a moment an empty page, whose content goes nowhere, then the
// page.  While it is brought back: the page, then what was there before, byte
// for byte.  Nothing else changes anywhere, and no access faults.  A page that
// goes from one frame to another shows at both for a moment: who looks for it
// finds it at any time.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "core/result.hpp"
#include "host/pages.hpp"

namespace xovl::host
{

class PageSwap
{
public:
    // `page`: a page of a shared mapping, which stays mapped there.
    PageSwap(Pages &pages, void *page)
        : pages_(pages), page_(static_cast<std::byte *>(page))
    {
    }

    // Shows it at `frame`, and then no longer where it showed before.
    // `frame`: a page of a private anonymous mapping, which must stay mapped
    // until it is hidden again.  On an error nothing has changed, or, where
    // even that failed, `frame` may still be replaced as well; then hide()
    // tries again to bring back what was there, and until it has this is
    // -EBUSY.
    core::Status show(void *frame);

    // Brings back what was there; nothing to do if no frame is replaced.  On
    // an error the page shows where it did, or nothing is there.
    core::Status hide();

    // Leaves the memory as few mappings as it was, for who needs it to be one:
    // before 6.3 Linux write-protects a range for userfaultfd only if it is.
    // Only while no frame is replaced.
    void join();

    // How many frames are replaced: 2 if show() could not even bring back one.
    [[nodiscard]] unsigned frames() const
    {
        return (shown_ ? 1 : 0) + (left_ ? 1 : 0);
    }

private:
    // Splitting a mapping has the kernel tell KVM that the 2 MiB around it
    // change, all of which the guest must fault in again.  So the frames that
    // were used last stay mappings of their own: a guest that moves the page
    // to and fro pays once.
    static constexpr std::size_t kParted = 4;

    void part(std::byte *frame);

    struct Replaced {
        std::byte *frame;
        std::byte *aside; // where that which was there is now
    };

    core::Status bring_back(std::optional<Replaced> &replaced);

    Pages &pages_;
    std::byte *page_;
    std::optional<Replaced> shown_;
    // A frame where it should not show, and what was there did not come back.
    std::optional<Replaced> left_;
    // A ring; null: none yet.  What was unmapped since is of no use here, and
    // joining what is there now does it no harm.
    std::array<std::byte *, kParted> parted_{};
    std::size_t oldest_ = 0;
};

} // namespace xovl::host
