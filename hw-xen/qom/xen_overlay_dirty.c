/*
 * What is written to guest memory past the dirty log.
 *
 * KVM writes pending bits, the wallclock and a vCPU's time and selector, and
 * event delivery in QEMU writes the same, all by host address.  Nobody says
 * when.  So whoever asks what was written since the last time, a migration
 * that is, is told each time: these.  The last question comes when the vCPUs
 * have stopped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "exec/ramlist.h"
#include "exec/target_page.h"
#include "hw/core/cpu.h"
#include "hw/xen/interface/xen.h"

#include "xen_overlay_state.h"

void xen_overlay_mark_vcpu_info_dirty(XenOverlayState *s, CPUState *cs)
{
    void *host = xovl_vcpu_info(s->overlay, cs->cpu_index).host;
    MemoryRegion *mr;
    ram_addr_t offset;

    if (!host) {
        return;
    }
    mr = memory_region_from_host(host, &offset);
    if (mr) {
        memory_region_set_dirty(mr, offset, sizeof(struct vcpu_info));
    }
}

static void log_sync_global(MemoryListener *listener, bool last_stage)
{
    XenOverlayState *s = container_of(listener, XenOverlayState,
                                      dirty_listener);
    CPUState *cs;

    /* Or somebody asks for a display's sake. */
    if (!global_dirty_tracking) {
        return;
    }
    memory_region_set_dirty(&s->shinfo_mem, 0, TARGET_PAGE_SIZE);
    CPU_FOREACH(cs) {
        xen_overlay_mark_vcpu_info_dirty(s, cs);
    }
}

void xen_overlay_dirty_init(XenOverlayState *s)
{
    s->dirty_listener = (MemoryListener) {
        .name = "xen-overlay-dirty",
        .log_sync_global = log_sync_global,
    };
    memory_listener_register(&s->dirty_listener, &address_space_memory);
}
