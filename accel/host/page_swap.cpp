// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/page_swap.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace xovl::host
{

core::Status PageSwap::show(void *frame)
{
    if (replaced_) {
        return core::Error(-EBUSY);
    }
    auto *const place = static_cast<std::byte *>(frame);
    part(place);
    const core::Result<std::byte *> aside = pages_.move_aside(place);
    if (!aside) {
        return aside.error();
    }
    replaced_ = {.frame = place, .aside = *aside};
    const core::Status shown = pages_.alias(page_, place);
    if (!shown) {
        // Its answer does not matter: if this fails too, frame() says so.
        (void)hide();
    }
    return shown;
}

void PageSwap::part(std::byte *frame)
{
    if (std::find(parted_.begin(), parted_.end(), frame) != parted_.end()) {
        return;
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
    assert(!replaced_);
    for (std::byte *&frame : parted_) {
        if (frame) {
            pages_.join(frame);
        }
        frame = nullptr;
    }
}

core::Status PageSwap::hide()
{
    if (!replaced_) {
        return {};
    }
    core::Status hidden = pages_.move(replaced_->aside, replaced_->frame);
    if (hidden) {
        replaced_.reset();
    }
    return hidden;
}

} // namespace xovl::host
