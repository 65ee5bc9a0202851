/*
 * The state that the files of the xen-overlay device share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_OVERLAY_STATE_H
#define XEN_OVERLAY_STATE_H

#include "hw/sysbus.h"
#include "qapi/util.h"
#include "qom/object.h"
#include "xen-overlay/xovl.h"

#include "xen_overlay_host_page.h"

#define TYPE_XEN_OVERLAY "xen-overlay"
OBJECT_DECLARE_SIMPLE_TYPE(XenOverlayState, XEN_OVERLAY)

struct XenOverlayState {
    SysBusDevice busdev;

    MemoryRegion shinfo_mem;
    /* The same, where KVM finds it; see xen_overlay_open_window(). */
    MemoryRegion shinfo_window;
    void *shinfo_ptr;
    XovlOverlay *overlay;
    XenOverlayHostPage host_page;
    MemoryListener dirty_listener;

    /* Properties. */
    XovlSharedInfo shared_info;
    XovlDefaultVcpuInfo default_vcpu_info;
    XenOverlayRemapMethod remap_method;

    /* What the migration stream carries; copied from and to the overlay. */
    uint64_t shinfo_gpa;
    bool long_mode;
    /* It came from a stream, and the machine has not run since. */
    bool loaded;
};

/* NULL until the device is realized, and without Xen emulation. */
extern XenOverlayState *xen_overlay_singleton;

/* What the overlay calls; `opaque` is the XenOverlayState. */
extern const XovlOps xen_overlay_ops;

/* Shows a page of Xen's at @gpa, or nowhere, by its memory region. */
void xen_overlay_place_region(MemoryRegion *mr, uint64_t gpa);

/* Names of the properties' values, for XovlSharedInfo and so on. */
extern const QEnumLookup xen_overlay_shared_info_lookup;
extern const QEnumLookup xen_overlay_default_vcpu_info_lookup;

/* Brings what event delivery goes by in step with the overlay. */
void xen_overlay_mirror_host_address(XenOverlayState *s, CPUState *cs);

/* Gives the vCPU its place in the overlay.  False, with @errp set, on error. */
bool xen_overlay_attach(XenOverlayState *s, CPUState *cs, Error **errp);

/* Tells whoever tracks changes of RAM what nobody else tells. */
void xen_overlay_dirty_init(XenOverlayState *s);
void xen_overlay_mark_vcpu_info_dirty(XenOverlayState *s, CPUState *cs);

#endif /* XEN_OVERLAY_STATE_H */
