// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/page_swap.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace xovl::host
{

core::Status PageSwap::show(void *frame)
{
    if (left_) {
        return core::Error(-EBUSY);
    }
    auto *const place = static_cast<std::byte *>(frame);
    if (shown_ && shown_->frame == place) {
        return {};
    }
    part(place);
    const core::Result<std::byte *> aside = pages_.move_aside(place);
    if (!aside) {
        return aside.error();
    }
    left_ = {.frame = place, .aside = *aside};
    core::Status status = pages_.alias(page_, place);
    if (status && shown_) {
        status = bring_back(shown_);
        if (!status) {
            // Perhaps nothing is there now.
            (void)pages_.alias(page_, shown_->frame);
        }
    }
    if (!status) {
        // Its answer does not matter: if this fails too, frames() says so.
        (void)bring_back(left_);
        return status;
    }
    shown_ = left_;
    left_.reset();
    return {};
}

void PageSwap::part(std::byte *frame)
{
    if (std::find(parted_.begin(), parted_.end(), frame) != parted_.end()) {
        return;
    }
    // Not the one where the page shows: what is to be joined there is aside.
    if (shown_ && parted_[oldest_] == shown_->frame) {
        oldest_ = (oldest_ + 1) % kParted;
    }
    std::byte *&slot = parted_[oldest_];
    oldest_ = (oldest_ + 1) % kParted;
    if (slot) {
        pages_.join(slot);
    }
    slot = frame;
    pages_.part(frame);
}

void PageSwap::join()
{
    assert(frames() == 0);
    for (std::byte *&frame : parted_) {
        if (frame) {
            pages_.join(frame);
        }
        frame = nullptr;
    }
}

core::Status PageSwap::hide()
{
    // In this order: as long as it shows anywhere, it shows where it should.
    const core::Status left = bring_back(left_);
    return left ? bring_back(shown_) : left;
}

core::Status PageSwap::bring_back(std::optional<Replaced> &replaced)
{
    if (!replaced) {
        return {};
    }
    core::Status back = pages_.move(replaced->aside, replaced->frame);
    if (back) {
        replaced.reset();
    }
    return back;
}

} // namespace xovl::host
