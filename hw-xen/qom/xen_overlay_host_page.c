/*
 * remap-method=host-page: where it can be used, and when it has to end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/memfd.h"
#include "qemu/range.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "exec/ram_addr.h"
#include "exec/ramblock.h"
#include "exec/target_page.h"
#include "hw/boards.h"
#include "hw/i386/kvm/xen_overlay.h"
#include "migration/vmstate.h"
#include "system/hostmem.h"
#include "system/kvm_xen.h"
#include "system/runstate.h"
#include "system/system.h"

#include "xen_overlay_host_page.h"
#include "xen_overlay_state.h"
#include "trace/trace-subprojects_xen_overlay_hw_xen_qom.h"

/* Video memory and the BIOS's shadow. */
#define LEGACY_START 0xa0000
#define LEGACY_END 0x100000

const QEnumLookup xen_overlay_remap_method_lookup = {
    .array = (const char *const[]) {
        [XEN_OVERLAY_REMAP_AUTO] = "auto",
        [XEN_OVERLAY_REMAP_MEMSLOT] = "memslot",
        [XEN_OVERLAY_REMAP_HOST_PAGE] = "host-page",
    },
    .size = XEN_OVERLAY_REMAP_HOST_PAGE + 1,
};

bool xen_overlay_host_page_init_ram(MemoryRegion *mem, Object *owner,
                                    Error **errp)
{
    static const char name[] = "xen:shared_info";
    int fd;

    /* QEMU makes it shared by itself, and hands it to the next QEMU (CPR). */
    if (current_machine->aux_ram_share) {
        return memory_region_init_ram(mem, owner, name, TARGET_PAGE_SIZE,
                                      errp);
    }
    fd = qemu_memfd_create(name, TARGET_PAGE_SIZE, false, 0, 0, errp);
    if (fd < 0) {
        return false;
    }
    if (!memory_region_init_ram_from_fd(mem, owner, name, TARGET_PAGE_SIZE,
                                        RAM_SHARED, fd, 0, errp)) {
        close(fd);
        return false;
    }
    vmstate_register_ram(mem, DEVICE(owner));
    return true;
}

/* Why the page cannot ever be swapped into this memory; NULL if it can. */
static const char *refusal_of_memory(MemoryRegion *mr)
{
    /* Not allowed: all that says the memory is somebody else's as well. */
    const uint32_t harmless = RAM_MIGRATABLE | RAM_NORESERVE |
                              RAM_UF_ZEROPAGE;
    RAMBlock *block = mr->ram_block;

    /* Nor a device's: grant table frames and the like are overlays, too. */
    if (!block ||
        !object_dynamic_cast(memory_region_owner(mr), TYPE_MEMORY_BACKEND)) {
        return "not the machine's RAM";
    }
    if (block->fd >= 0 || block->flags & ~harmless) {
        return "RAM is not private anonymous memory";
    }
    if (block->page_size != qemu_real_host_page_size() ||
        block->page_size != TARGET_PAGE_SIZE) {
        return "RAM is not in pages of 4 KiB";
    }
    if (memory_region_is_nonvolatile(mr)) {
        return "RAM is persistent";
    }
    if (memory_region_has_ram_discard_manager(mr)) {
        return "RAM comes and goes (virtio-mem)";
    }
    return NULL;
}

/* Why no page of RAM can be swapped now; NULL if they can. */
static const char *refusal_of_moment(void)
{
    /* Pinned pages are used whatever is mapped where they were. */
    if (ram_block_discard_is_disabled()) {
        return "RAM is pinned (VFIO and others)";
    }
    if (global_dirty_tracking) {
        return "RAM is tracked for changes";
    }
    if (migration_is_running() || migration_in_incoming_postcopy() ||
        runstate_check(RUN_STATE_INMIGRATE) ||
        runstate_check(RUN_STATE_RESTORE_VM)) {
        return "RAM is migrated";
    }
    return NULL;
}

static const char *refusal_of_section(const MemoryRegionSection *section)
{
    const char *reason;

    /* The chipset shows ROM, RAM or a bus there, by the guest's order. */
    if (ranges_overlap(section->offset_within_address_space, TARGET_PAGE_SIZE,
                       LEGACY_START, LEGACY_END - LEGACY_START)) {
        return "below 1 MiB what is there may change";
    }
    if (!section->mr || !memory_region_is_ram(section->mr) ||
        section->readonly ||
        int128_lt(section->size, int128_make64(TARGET_PAGE_SIZE))) {
        return "no RAM there";
    }
    reason = refusal_of_memory(section->mr);
    if (!reason && memory_region_get_dirty_log_mask(section->mr)) {
        reason = "RAM is tracked for changes";
    }
    return reason ? reason : refusal_of_moment();
}

static void forget(MemoryRegion **mr)
{
    if (*mr) {
        memory_region_unref(*mr);
        *mr = NULL;
    }
}

bool xen_overlay_host_page_show(XenOverlayState *s, uint64_t gpa)
{
    XenOverlayHostPage *h = &s->host_page;
    MemoryRegionSection section;
    const char *reason;
    int ret;

    assert(bql_locked());

    if (!h->swap) {
        return false;
    }
    section = memory_region_find(get_system_memory(), gpa, TARGET_PAGE_SIZE);
    reason = refusal_of_section(&section);
    if (!reason) {
        ret = xovl_page_swap_show(h->swap,
                                  memory_region_get_ram_ptr(section.mr) +
                                  section.offset_within_region);
        if (ret) {
            reason = strerror(-ret);
        }
    }
    if (reason) {
        unsigned before = !!h->mr + !!h->left;

        trace_xen_overlay_host_page_refused(gpa, reason);
        if (xovl_page_swap_frames(h->swap) > before) {
            /* It shows there, and should not. */
            h->left = section.mr;
        } else {
            forget(&section.mr);
        }
        return false;
    }
    forget(&h->mr);
    h->mr = section.mr;
    h->offset = section.offset_within_region;
    h->gpa = gpa;
    trace_xen_overlay_host_page_show(gpa);
    return true;
}

int xen_overlay_host_page_hide(XenOverlayState *s)
{
    XenOverlayHostPage *h = &s->host_page;
    int ret;

    assert(bql_locked());

    if (!h->mr && !h->left) {
        return 0;
    }
    ret = xovl_page_swap_hide(h->swap);
    trace_xen_overlay_host_page_hide(h->gpa, ret);
    if (ret) {
        return ret;
    }
    forget(&h->mr);
    forget(&h->left);
    return 0;
}

uint64_t xen_overlay_host_page_gpa(XenOverlayState *s)
{
    return s->host_page.mr ? s->host_page.gpa : INVALID_GPA;
}

/*
 * Has the page show where it shows, but by a memory region, and RAM be as if it
 * had never been otherwise.
 */
static bool end(XenOverlayState *s, const char *reason, Error **errp)
{
    uint64_t gpa = xen_overlay_host_page_gpa(s);
    int ret;

    if (gpa == INVALID_GPA && !s->host_page.left) {
        xovl_page_swap_join(s->host_page.swap);
        return true;
    }
    /*
     * The region first, before which the vCPUs are stopped; it hides that the
     * RAM comes back.  Nobody asked for the page to move, and a guest that saw
     * that RAM for a moment would read masks of events that are none.
     */
    if (gpa != INVALID_GPA) {
        xen_overlay_place_region(&s->shinfo_mem, gpa);
    }
    ret = xen_overlay_host_page_hide(s);
    trace_xen_overlay_host_page_end(gpa, reason, ret);
    if (ret) {
        if (gpa != INVALID_GPA) {
            xen_overlay_place_region(&s->shinfo_mem, INVALID_GPA);
        }
        error_setg_errno(errp, -ret, "xen-overlay: cannot take shared_info "
                         "out of guest RAM, which is to be used otherwise");
        return false;
    }
    xovl_page_swap_join(s->host_page.swap);
    return true;
}

static int migration_event(XenOverlayState *s, MigrationEvent *event,
                           Error **errp)
{
    if (event->type == MIG_EVENT_PRECOPY_SETUP) {
        return end(s, "migration", errp) ? 0 : -EIO;
    }
    return 0;
}

/* The notifier says which mode, and so does where it is. */
#define MIGRATION_EVENT(mode)                                                \
    static int migration_event_##mode(NotifierWithReturn *notifier,          \
                                      MigrationEvent *event, Error **errp)   \
    {                                                                        \
        return migration_event(container_of(notifier, XenOverlayState,       \
                                            host_page.migration[mode]),      \
                               event, errp);                                 \
    }

MIGRATION_EVENT(MIG_MODE_NORMAL)
MIGRATION_EVENT(MIG_MODE_CPR_REBOOT)
MIGRATION_EVENT(MIG_MODE_CPR_TRANSFER)

/* Migration of all kinds, snapshots, calc-dirty-rate: what reads RAMBlocks. */
static bool log_global_start(MemoryListener *listener, Error **errp)
{
    return end(container_of(listener, XenOverlayState, host_page.listener),
               "changes of RAM are to be tracked", errp);
}

/* Before the first page is pinned; none is if this fails. */
static int discard_disabled(NotifierWithReturn *notifier, void *data,
                            Error **errp)
{
    XenOverlayState *s = container_of(notifier, XenOverlayState,
                                      host_page.discard_disabled);

    return end(s, "RAM is to be pinned", errp) ? 0 : -EBUSY;
}

/* Whether what the guest has at the page's address still is that RAM. */
static bool is_in_sight(XenOverlayHostPage *h)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(), h->gpa, TARGET_PAGE_SIZE);
    bool same = section.mr == h->mr &&
                section.offset_within_region == h->offset &&
                int128_eq(section.size, int128_make64(TARGET_PAGE_SIZE));

    if (section.mr) {
        memory_region_unref(section.mr);
    }
    return same;
}

static void check(void *opaque)
{
    XenOverlayState *s = opaque;
    Error *err = NULL;

    if (s->host_page.mr && !is_in_sight(&s->host_page) &&
        !end(s, "something else is at that address now", &err)) {
        error_report_err(err);
    }
}

static void memory_changed(MemoryListener *listener)
{
    XenOverlayHostPage *h = container_of(listener, XenOverlayHostPage,
                                         listener);

    /* Not at once: this is the middle of a change. */
    if (h->mr) {
        qemu_bh_schedule(h->check);
    }
}

/* remap-method=host-page is a mistake where no RAM will ever do. */
static bool find_fit_memory(Int128 start, Int128 len, const MemoryRegion *mr,
                            hwaddr offset_in_region, void *opaque)
{
    const char **reason = opaque;
    const char *this = refusal_of_memory((MemoryRegion *)mr);

    if (!this || memory_region_owner((MemoryRegion *)mr) ==
                 OBJECT(current_machine->memdev)) {
        *reason = this;
    }
    return !this;
}

static void machine_done(Notifier *notifier, void *data)
{
    const char *reason = "no RAM there";

    WITH_RCU_READ_LOCK_GUARD() {
        flatview_for_each_range(address_space_to_flatview(
                                    &address_space_memory),
                                find_fit_memory, &reason);
    }
    if (reason) {
        error_report("xen-overlay: remap-method=host-page cannot be used on "
                     "this machine: %s", reason);
        exit(EXIT_FAILURE);
    }
}

void xen_overlay_host_page_init(XenOverlayState *s)
{
    static const MigrationNotifyFunc events[MIG_MODE__MAX] = {
        [MIG_MODE_NORMAL] = migration_event_MIG_MODE_NORMAL,
        [MIG_MODE_CPR_REBOOT] = migration_event_MIG_MODE_CPR_REBOOT,
        [MIG_MODE_CPR_TRANSFER] = migration_event_MIG_MODE_CPR_TRANSFER,
    };
    XenOverlayHostPage *h = &s->host_page;

    if (s->remap_method == XEN_OVERLAY_REMAP_MEMSLOT) {
        return;
    }
    h->swap = xovl_page_swap_new(s->shinfo_ptr);
    h->check = qemu_bh_new(check, s);
    for (int mode = 0; mode < MIG_MODE__MAX; mode++) {
        migration_add_notifier_mode(&h->migration[mode], events[mode], mode);
    }
    h->discard_disabled.notify = discard_disabled;
    ram_block_discard_disable_notifier_add(&h->discard_disabled);
    h->listener = (MemoryListener) {
        .name = "xen-overlay",
        .log_global_start = log_global_start,
        .commit = memory_changed,
    };
    memory_listener_register(&h->listener, &address_space_memory);
    if (s->remap_method == XEN_OVERLAY_REMAP_HOST_PAGE) {
        h->machine_done.notify = machine_done;
        qemu_add_machine_init_done_notifier(&h->machine_done);
    }
}
