/*
 * remap-method=host-page: shared_info shows at a guest frame because its host
 * page is behind it, in place of the RAM page, which is kept and comes back.
 * KVM's memslots and QEMU's memory regions know nothing of it, which is what
 * makes it cheap (docs/adr/0010-swap-the-host-page.md).
 *
 * All under the BQL.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_OVERLAY_HOST_PAGE_H
#define XEN_OVERLAY_HOST_PAGE_H

#include "exec/memory.h"
#include "migration/misc.h"
#include "qapi/qapi-types-migration.h"
#include "qapi/util.h"
#include "qemu/notify.h"
#include "xen-overlay/page_swap.h"

typedef struct XenOverlayState XenOverlayState;

/* The values of the property remap-method. */
typedef enum XenOverlayRemapMethod {
    XEN_OVERLAY_REMAP_AUTO,
    XEN_OVERLAY_REMAP_MEMSLOT,
    XEN_OVERLAY_REMAP_HOST_PAGE,
} XenOverlayRemapMethod;

extern const QEnumLookup xen_overlay_remap_method_lookup;

typedef struct XenOverlayHostPage {
    XovlPageSwap *swap; /* NULL where the method is not wanted */

    /* Where the page shows; mr is referenced, and NULL if it does not. */
    MemoryRegion *mr;
    hwaddr offset;
    uint64_t gpa;
    /* Where it should not, and the RAM could not be brought back; or NULL. */
    MemoryRegion *left;

    MemoryListener listener;
    QEMUBH *check;
    NotifierWithReturn migration[MIG_MODE__MAX];
    NotifierWithReturn discard_disabled;
    Notifier machine_done;
} XenOverlayHostPage;

/*
 * Makes @mem the RAM of the page: shared within this process, so that it can
 * show twice, and for the rest of QEMU and for a migration stream as any.
 */
bool xen_overlay_host_page_init_ram(MemoryRegion *mem, Object *owner,
                                    Error **errp);

/* When the page's RAM is there. */
void xen_overlay_host_page_init(XenOverlayState *s);

/*
 * Shows the page at @gpa, and then no longer where it showed by this method
 * before.  False if that cannot be now, for a reason that is traced; then it
 * shows where it did.
 */
bool xen_overlay_host_page_show(XenOverlayState *s, uint64_t gpa);

/*
 * Brings back the RAM where the page shows by this method, if it does, or
 * should not and does.  0, or a negative errno: then it still does.
 */
int xen_overlay_host_page_hide(XenOverlayState *s);

/* Where the page shows by this method; INVALID_GPA: it does not. */
uint64_t xen_overlay_host_page_gpa(XenOverlayState *s);

#endif /* XEN_OVERLAY_HOST_PAGE_H */
