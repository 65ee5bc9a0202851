// SPDX-License-Identifier: GPL-2.0-or-later
#include "xen-overlay/page_swap.h"

#include <cassert>

#include "host/page_swap.hpp"
#include "host/pages.hpp"

namespace
{

int to_errno(const xovl::core::Status &status)
{
    return status ? 0 : status.error().value();
}

} // namespace

struct XovlPageSwap {
    explicit XovlPageSwap(void *page) : swap(pages, page) {}

    xovl::host::LinuxPages pages;
    xovl::host::PageSwap swap;
};

XovlPageSwap *xovl_page_swap_new(void *page)
{
    return new XovlPageSwap(page);
}

void xovl_page_swap_free(XovlPageSwap *swap)
{
    assert(!swap || swap->swap.frames() == 0);
    delete swap;
}

int xovl_page_swap_show(XovlPageSwap *swap, void *frame)
{
    return to_errno(swap->swap.show(frame));
}

int xovl_page_swap_hide(XovlPageSwap *swap)
{
    return to_errno(swap->swap.hide());
}

void xovl_page_swap_join(XovlPageSwap *swap)
{
    swap->swap.join();
}

unsigned xovl_page_swap_frames(const XovlPageSwap *swap)
{
    return swap->swap.frames();
}
