/*
 * The xen-overlay device: Xen's shared_info page for guests on KVM.
 *
 * It replaces hw/i386/kvm/xen_overlay.c: same type, same functions for the
 * rest of QEMU (hw/i386/kvm/xen_overlay.h), same migration stream.  Where
 * things are and what KVM is told of it is decided in C++ (core/overlay.hpp);
 * here is what that needs of QEMU's object model.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "exec/address-spaces.h"
#include "exec/target_page.h"
#include "cpu.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic_internal.h"
#include "hw/i386/kvm/xen_evtchn.h"
#include "hw/i386/kvm/xen_overlay.h"
#include "hw/xen/xen.h"
#include "migration/vmstate.h"
#include "system/kvm.h"
#include "system/kvm_int.h"
#include "system/kvm_xen.h"
#include "system/runstate.h"

#include "xen_overlay_state.h"
#include "trace/trace-subprojects_xen_overlay_hw_xen_qom.h"

/* KVM_IDENTITY_BASE of target/i386/kvm/kvm.c. */
#define XEN_OVERLAY_KVM_PRIVATE 0xfeffc000UL

XenOverlayState *xen_overlay_singleton;

const QEnumLookup xen_overlay_shared_info_lookup = {
    .array = (const char *const[]) {
        [XOVL_SHARED_INFO_AUTO] = "auto",
        [XOVL_SHARED_INFO_HVA] = "hva",
        [XOVL_SHARED_INFO_GFN] = "gfn",
    },
    .size = XOVL_SHARED_INFO_GFN + 1,
};

const QEnumLookup xen_overlay_default_vcpu_info_lookup = {
    .array = (const char *const[]) {
        [XOVL_DEFAULT_VCPU_INFO_AUTO] = "auto",
        [XOVL_DEFAULT_VCPU_INFO_KERNEL] = "kernel",
        [XOVL_DEFAULT_VCPU_INFO_HVA] = "hva",
        [XOVL_DEFAULT_VCPU_INFO_GPA] = "gpa",
    },
    .size = XOVL_DEFAULT_VCPU_INFO_GPA + 1,
};

/*
 * A guest that was loaded runs for the first time here.  Only now all of it
 * is in place: each device, each vCPU's vcpu_info, and its clock.
 */
static void xen_overlay_start_loaded(XenOverlayState *s)
{
    int ret;

    xen_evtchn_start_loaded();
    ret = xovl_recall_events(s->overlay);
    trace_xen_overlay_recall_events(ret);
    if (ret) {
        warn_report("xen-overlay: events of the guest's may be lost: %s",
                    strerror(-ret));
    }
}

/*
 * The guest's clock was set: KVM's clock code does so whenever the machine
 * starts to run, and its handler was registered before this one.  The
 * wallclock in shared_info is relative to that clock.
 */
static void xen_overlay_vm_state_change(void *opaque, bool running,
                                        RunState state)
{
    XenOverlayState *s = opaque;
    int ret;

    if (!running) {
        kvm_xen_stop_timers();
        return;
    }
    ret = xovl_refresh_wallclock(s->overlay);
    trace_xen_overlay_refresh_wallclock(ret);
    if (ret) {
        warn_report("xen-overlay: the guest's Xen wallclock could not be "
                    "updated: %s", strerror(-ret));
    }
    if (s->loaded) {
        /* Before the timers: it settles whether KVM has them. */
        xen_overlay_start_loaded(s);
    }
    kvm_xen_start_timers(s->loaded);
    s->loaded = false;
}

/* How wide an address may be, for the guest and for KVM's memslots. */
static uint32_t xen_overlay_address_bits(void)
{
    uint32_t eax, unused;

    host_cpuid(0x80000008, 0, &eax, &unused, &unused, &unused);
    return MIN(X86_CPU(first_cpu)->phys_bits, eax & 0xff);
}

static void xen_overlay_realize(DeviceState *dev, Error **errp)
{
    /* Where the page would not show, or KVM would not take a memslot. */
    static const XovlFrameRange taken[] = {
        { XEN_SPECIAL_PFN(SHARED_INFO), XEN_SPECIAL_PFN(SHARED_INFO) + 1 },
        { APIC_DEFAULT_ADDRESS >> TARGET_PAGE_BITS,
          (APIC_DEFAULT_ADDRESS + APIC_SPACE_SIZE) >> TARGET_PAGE_BITS },
        /* KVM's own on Intel: the identity map and the TSS behind it. */
        { XEN_OVERLAY_KVM_PRIVATE >> TARGET_PAGE_BITS,
          (XEN_OVERLAY_KVM_PRIVATE >> TARGET_PAGE_BITS) + 4 },
    };
    XenOverlayState *s = XEN_OVERLAY(dev);
    XovlConfig config;
    CPUState *cs;
    int ret;

    if (xen_mode != XEN_EMULATE) {
        error_setg(errp, "Xen overlay page support is for Xen emulation");
        return;
    }

    if (!xen_overlay_host_page_init_ram(&s->shinfo_mem, OBJECT(dev), errp)) {
        return;
    }
    s->shinfo_ptr = memory_region_get_ram_ptr(&s->shinfo_mem);
    s->shinfo_gpa = INVALID_GPA;

    config = (XovlConfig) {
        .page = s->shinfo_ptr,
        .kvm_capabilities = kvm_xen_get_caps(),
        .xen_version = kvm_state->xen_version,
        .address_bits = xen_overlay_address_bits(),
        .taken = taken,
        .taken_count = ARRAY_SIZE(taken),
        .shared_info = s->shared_info,
        .default_vcpu_info = s->default_vcpu_info,
    };
    s->overlay = xovl_new(&config, &xen_overlay_ops, s);

    ret = xovl_start(s->overlay);
    if (ret == -ENOTSUP && xovl_refusal(s->overlay)) {
        error_setg(errp, "shared-info=%s needs %s; this kernel's KVM does "
                   "not have it",
                   qapi_enum_lookup(&xen_overlay_shared_info_lookup,
                                    s->shared_info),
                   xovl_refusal(s->overlay));
        return;
    }
    if (ret) {
        error_setg_errno(errp, -ret, "KVM does not take the shared_info page");
        return;
    }

    CPU_FOREACH(cs) {
        if (!xen_overlay_attach(s, cs, errp)) {
            return;
        }
    }

    trace_xen_overlay_backends(
        qapi_enum_lookup(&xen_overlay_shared_info_lookup,
                         xovl_shared_info_backend(s->overlay)),
        qapi_enum_lookup(&xen_overlay_default_vcpu_info_lookup,
                         xovl_default_vcpu_info_backend(s->overlay)));

    xen_overlay_host_page_init(s);
    xen_overlay_dirty_init(s);
    qemu_add_vm_change_state_handler(xen_overlay_vm_state_change, s);
    xen_overlay_singleton = s;
}

static int xen_overlay_pre_save(void *opaque)
{
    XenOverlayState *s = opaque;
    int ret;

    /*
     * KVM latches the mode when the guest writes the hypercall MSR; if no
     * hypercall followed yet, it is news here.
     */
    ret = xen_sync_long_mode();
    if (ret) {
        return ret;
    }
    s->shinfo_gpa = xovl_gpa(s->overlay);
    s->long_mode = xovl_is_long_mode(s->overlay);
    return 0;
}

static int xen_overlay_post_load(void *opaque, int version_id)
{
    XenOverlayState *s = opaque;
    int ret = xovl_restore(s->overlay, s->shinfo_gpa, s->long_mode);

    trace_xen_overlay_restore(s->shinfo_gpa, s->long_mode, ret);
    if (ret) {
        error_report("xen-overlay: cannot restore shared_info at 0x%" PRIx64
                     ": %s", s->shinfo_gpa, strerror(-ret));
    }
    s->loaded = true;
    return ret;
}

static bool xen_overlay_is_needed(void *opaque)
{
    return xen_mode == XEN_EMULATE;
}

static const VMStateDescription xen_overlay_vmstate = {
    .name = "xen_overlay",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = xen_overlay_is_needed,
    .pre_save = xen_overlay_pre_save,
    .post_load = xen_overlay_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(shinfo_gpa, XenOverlayState),
        VMSTATE_BOOL(long_mode, XenOverlayState),
        VMSTATE_END_OF_LIST()
    }
};

static void xen_overlay_reset_hold(Object *obj, ResetType type)
{
    XenOverlayState *s = XEN_OVERLAY(obj);
    int ret;

    /* Suspended to RAM and back: to Xen the domain's life goes on. */
    if (type == RESET_TYPE_WAKEUP) {
        return;
    }
    s->loaded = false;
    ret = kvm_xen_soft_reset();
    if (ret) {
        error_report("xen-overlay: reset failed: %s", strerror(-ret));
    }
    /* Once nothing sends events any more; the next life finds no trace. */
    ret = xovl_reset(s->overlay);
    trace_xen_overlay_reset(ret);
    if (ret) {
        error_report("xen-overlay: KVM could not be told anew after a reset: "
                     "%s", strerror(-ret));
    }
}

static int get_shared_info(Object *obj, Error **errp)
{
    return XEN_OVERLAY(obj)->shared_info;
}

static void set_shared_info(Object *obj, int value, Error **errp)
{
    XEN_OVERLAY(obj)->shared_info = value;
}

static int get_default_vcpu_info(Object *obj, Error **errp)
{
    return XEN_OVERLAY(obj)->default_vcpu_info;
}

static void set_default_vcpu_info(Object *obj, int value, Error **errp)
{
    XEN_OVERLAY(obj)->default_vcpu_info = value;
}

static int get_remap_method(Object *obj, Error **errp)
{
    return XEN_OVERLAY(obj)->remap_method;
}

static void set_remap_method(Object *obj, int value, Error **errp)
{
    XEN_OVERLAY(obj)->remap_method = value;
}

static void xen_overlay_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->desc = "Xen shared_info page for guests on KVM";
    RESETTABLE_CLASS(klass)->phases.hold = xen_overlay_reset_hold;
    dc->realize = xen_overlay_realize;
    dc->vmsd = &xen_overlay_vmstate;

    object_class_property_add_enum(klass, "shared-info", "XenSharedInfo",
                                   &xen_overlay_shared_info_lookup,
                                   get_shared_info, set_shared_info);
    object_class_property_set_description(
        klass, "shared-info",
        "How KVM is told where shared_info is (auto/hva/gfn)");
    object_class_property_add_enum(klass, "default-vcpu-info",
                                   "XenDefaultVcpuInfo",
                                   &xen_overlay_default_vcpu_info_lookup,
                                   get_default_vcpu_info,
                                   set_default_vcpu_info);
    object_class_property_set_description(
        klass, "default-vcpu-info",
        "How KVM is told where default vcpu_infos are "
        "(auto/kernel/hva/gpa)");
    object_class_property_add_enum(klass, "remap-method",
                                   "XenOverlayRemapMethod",
                                   &xen_overlay_remap_method_lookup,
                                   get_remap_method, set_remap_method);
    object_class_property_set_description(
        klass, "remap-method",
        "How shared_info is made to show elsewhere in guest memory "
        "(auto/memslot/host-page)");
}

static const TypeInfo xen_overlay_info = {
    .name          = TYPE_XEN_OVERLAY,
    .parent        = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(XenOverlayState),
    .class_init    = xen_overlay_class_init,
};

void xen_overlay_create(void)
{
    sysbus_create_simple(TYPE_XEN_OVERLAY, -1, NULL);

    /* A domain id of its own: 0 is QEMU, in the role of dom0. */
    if (xen_domid == DOMID_QEMU) {
        xen_domid = 1;
    }
}

static void xen_overlay_register_types(void)
{
    type_register_static(&xen_overlay_info);
}

type_init(xen_overlay_register_types)

bool xen_overlay_memory_op(CPUState *cs, bool longmode, uint64_t cmd,
                           uint64_t arg, int *err)
{
    XenOverlayState *s = xen_overlay_singleton;
    uint64_t before;

    if (!s || !xovl_is_memory_op(cmd)) {
        return false;
    }

    BQL_LOCK_GUARD();

    before = xovl_gpa(s->overlay);
    if (!xovl_memory_op(s->overlay, cs, xen_domid, longmode, cmd, arg, err)) {
        return false;
    }
    trace_xen_overlay_memory_op(cmd, *err);
    if (xovl_gpa(s->overlay) == before) {
        return true;
    }
    if (xovl_gpa(s->overlay) == INVALID_GPA) {
        trace_xen_overlay_unmap(0);
    } else {
        trace_xen_overlay_map(xovl_gpa(s->overlay));
    }
    return true;
}

int xen_overlay_do_map_page(MemoryRegion *page, uint64_t gpa)
{
    XenOverlayState *s = xen_overlay_singleton;

    assert(bql_locked());

    return s ? xovl_place(s->overlay, page, gpa) : -ENOENT;
}

int xen_overlay_map_shinfo_page(uint64_t gpa)
{
    int ret = xen_overlay_do_map_page(NULL, gpa);

    trace_xen_overlay_unmap(ret);
    return ret;
}

void *xen_overlay_get_shinfo_ptr(void)
{
    XenOverlayState *s = xen_overlay_singleton;

    return s ? s->shinfo_ptr : NULL;
}

int xen_sync_long_mode(void)
{
    XenOverlayState *s = xen_overlay_singleton;

    return s ? xovl_sync_long_mode(s->overlay) : -ENOENT;
}

int xen_set_long_mode(bool long_mode)
{
    XenOverlayState *s = xen_overlay_singleton;
    int ret;

    if (!s) {
        return -ENOENT;
    }
    ret = xovl_set_long_mode(s->overlay, long_mode);
    trace_xen_overlay_set_long_mode(long_mode, ret);
    return ret;
}

bool xen_is_long_mode(void)
{
    XenOverlayState *s = xen_overlay_singleton;

    return s && xovl_is_long_mode(s->overlay);
}
