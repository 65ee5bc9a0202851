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
 * Show the page at `frame`, a page of a private anonymous mapping, too.  On
 * an error nothing has changed, or xovl_page_swap_frame() is not NULL.
 */
int xovl_page_swap_show(XovlPageSwap *swap, void *frame);
/* Bring back what was there. */
int xovl_page_swap_hide(XovlPageSwap *swap);
/* Have memory be as few mappings as it was; only while no frame is replaced. */
void xovl_page_swap_join(XovlPageSwap *swap);
/* The frame that is replaced, or NULL. */
void *xovl_page_swap_frame(const XovlPageSwap *swap);

#ifdef __cplusplus
}
#endif

#endif /* XEN_OVERLAY_PAGE_SWAP_H */
