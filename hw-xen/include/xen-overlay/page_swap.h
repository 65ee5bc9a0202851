/*
 * The C interface to host/page_swap.hpp: one shared page in the place of a
 * private one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Functions that answer int: 0 or a negative errno.  Threads: one at a time
 * (QEMU: under the BQL).
 */
#ifndef XEN_OVERLAY_PAGE_SWAP_H
#define XEN_OVERLAY_PAGE_SWAP_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct XovlPageSwap XovlPageSwap;

/* `page`: a page of a MAP_SHARED mapping, which must outlive this. */
XovlPageSwap *xovl_page_swap_new(void *page);
/* Only while no frame is replaced: who would know what was there? */
void xovl_page_swap_free(XovlPageSwap *swap);

/*
 * Show the page at `frame`, a page of a private anonymous mapping, too, and
 * then no longer at the frame where it showed before, if any.  On an error
 * nothing has changed, or `frame` is one of xovl_page_swap_frames() as well;
 * then this is -EBUSY until xovl_page_swap_hide() succeeds.
 */
int xovl_page_swap_show(XovlPageSwap *swap, void *frame);
/* Bring back what was there, everywhere. */
int xovl_page_swap_hide(XovlPageSwap *swap);
/* Have memory be as few mappings as it was; only while no frame is replaced. */
void xovl_page_swap_join(XovlPageSwap *swap);
/* How many frames are replaced: 0, 1; 2 after an error. */
unsigned xovl_page_swap_frames(const XovlPageSwap *swap);

#ifdef __cplusplus
}
#endif

#endif /* XEN_OVERLAY_PAGE_SWAP_H */
