/*
 * What the overlay asks of QEMU: KVM's ioctls and the guest's memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "exec/target_page.h"
#include "hw/core/cpu.h"
#include "hw/i386/kvm/xen_evtchn.h"
#include "hw/i386/kvm/xen_gnttab.h"
#include "hw/i386/kvm/xen_overlay.h"
#include "system/kvm.h"
#include "system/kvm_xen.h"
#include <linux/kvm.h>

#include "xen_overlay_state.h"
#include "trace/trace-subprojects_xen_overlay_hw_xen_qom.h"

QEMU_BUILD_BUG_ON(XOVL_NO_GPA != INVALID_GPA);

static const char *vm_attr_name(const struct kvm_xen_hvm_attr *attr)
{
    switch (attr->type) {
    case KVM_XEN_ATTR_TYPE_LONG_MODE:
        return "LONG_MODE";
    case KVM_XEN_ATTR_TYPE_SHARED_INFO:
        return attr->u.shared_info.gfn == KVM_XEN_INVALID_GFN
            ? "SHARED_INFO none" : "SHARED_INFO";
    case KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA:
        return "SHARED_INFO_HVA";
    default:
        return "unknown";
    }
}

static const char *vcpu_attr_name(const struct kvm_xen_vcpu_attr *attr)
{
    switch (attr->type) {
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO:
        return attr->u.gpa == KVM_XEN_INVALID_GPA
            ? "VCPU_INFO none" : "VCPU_INFO";
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA:
        return "VCPU_INFO_HVA";
    default:
        return "unknown";
    }
}

static int xen_overlay_vm_ioctl(void *opaque, unsigned long request, void *arg)
{
    int ret = kvm_vm_ioctl(kvm_state, request, arg);

    if (request == KVM_XEN_HVM_SET_ATTR) {
        const char *name = vm_attr_name(arg);

        trace_xen_overlay_kvm_vm_attr(name, ret);
        if (ret < 0) {
            /* Once: what a guest can repeat must not fill a log. */
            error_report_once("xen-overlay: KVM refused %s: %s", name,
                              strerror(-ret));
        }
    }
    return ret;
}

static int xen_overlay_vcpu_ioctl(void *opaque, uint32_t vcpu,
                                  unsigned long request, void *arg)
{
    CPUState *cs = qemu_get_cpu(vcpu);
    int ret;

    assert(bql_locked());

    if (!cs) {
        return -ENOENT;
    }

    /*
     * KVM serves a vCPU's ioctls while it is out of KVM_RUN.  From another
     * thread that is a matter of kicking it: once out, it waits for the BQL,
     * which is held here, so it cannot go back in before this is done.  Work
     * queued with run_on_cpu() would need the vCPU's thread to come and
     * fetch it, and two vCPUs that wait for each other's never do.
     */
    if (!qemu_cpu_is_self(cs)) {
        qemu_cpu_kick(cs);
    }
    ret = kvm_vcpu_ioctl(cs, request, arg);

    if (request == KVM_XEN_VCPU_SET_ATTR) {
        const char *name = vcpu_attr_name(arg);

        trace_xen_overlay_kvm_vcpu_attr(vcpu, name, ret);
        if (ret < 0) {
            error_report_once("xen-overlay: KVM refused %s for vCPU %u: %s",
                              name, vcpu, strerror(-ret));
        }
    }
    return ret;
}

/*
 * Above all that the guest may see there otherwise, the BIOS's shadow RAM
 * and video memory (priority 1) included; below the local APIC (0x1000).
 */
#define XEN_OVERLAY_PRIORITY 2

void xen_overlay_place_region(MemoryRegion *mr, uint64_t gpa)
{
    /* Not memory_region_is_mapped(): the window maps shinfo_mem as well. */
    if (!mr->container) {
        if (gpa != INVALID_GPA) {
            memory_region_add_subregion_overlap(get_system_memory(), gpa, mr,
                                                XEN_OVERLAY_PRIORITY);
        }
    } else if (gpa == INVALID_GPA) {
        memory_region_del_subregion(get_system_memory(), mr);
    } else {
        memory_region_set_address(mr, gpa);
    }
}

static int xen_overlay_place(void *opaque, XovlPage page, uint64_t gpa)
{
    XenOverlayState *s = opaque;
    int ret;

    if (page) {
        xen_overlay_place_region(page, gpa);
        return 0;
    }
    /* A page that moves is always somewhere: first there, then not here. */
    if (gpa != INVALID_GPA && xen_overlay_host_page_show(s, gpa)) {
        xen_overlay_place_region(&s->shinfo_mem, INVALID_GPA);
        return 0;
    }
    xen_overlay_place_region(&s->shinfo_mem, gpa);
    ret = xen_overlay_host_page_hide(s);
    if (ret) {
        /* It still is where it was by that method, so by no region. */
        xen_overlay_place_region(&s->shinfo_mem, INVALID_GPA);
    }
    return ret;
}

/*
 * A KVM that finds shared_info by guest frame would lose events, or write
 * them into guest RAM, while the guest moves the page.  So it is told a frame
 * where the page always shows: one of those that the firmware's memory map
 * reserves for Xen's special pages.
 */
static int xen_overlay_open_window(void *opaque, uint64_t *gpa)
{
    XenOverlayState *s = opaque;

    *gpa = XEN_SPECIAL_PFN(SHARED_INFO) << TARGET_PAGE_BITS;
    if (!memory_region_is_mapped(&s->shinfo_window)) {
        memory_region_init_alias(&s->shinfo_window, OBJECT(s),
                                 "xen:shared_info-window", &s->shinfo_mem, 0,
                                 TARGET_PAGE_SIZE);
        memory_region_add_subregion_overlap(get_system_memory(), *gpa,
                                            &s->shinfo_window, INT_MAX);
    }
    return 0;
}

static int xen_overlay_grant_frame(void *opaque, uint64_t index,
                                   XovlPage *page)
{
    *page = xen_gnttab_get_frame(index);
    return *page ? 0 : -EINVAL;
}

static int xen_overlay_pin(void *opaque, uint64_t gpa, size_t size,
                           XovlPin *pin)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(), gpa, size);

    if (!section.mr) {
        return -EINVAL;
    }
    if (!memory_region_is_ram(section.mr) || section.readonly ||
        int128_lt(section.size, int128_make64(size))) {
        memory_region_unref(section.mr);
        return -EINVAL;
    }
    pin->host = memory_region_get_ram_ptr(section.mr) +
                section.offset_within_region;
    pin->token = section.mr;
    return 0;
}

static void xen_overlay_unpin(void *opaque, XovlPin pin)
{
    memory_region_unref(pin.token);
}

static int xen_overlay_copy_in(void *opaque, void *caller, uint64_t gva,
                               void *to, size_t size)
{
    return kvm_copy_from_gva(caller, gva, to, size);
}

static int xen_overlay_copy_out(void *opaque, void *caller, uint64_t gva,
                                const void *from, size_t size)
{
    return kvm_copy_to_gva(caller, gva, from, size);
}

static void xen_overlay_inject_upcall(void *opaque, uint32_t vcpu)
{
    CPUState *cs = qemu_get_cpu(vcpu);

    /* A level that is raised stays up for as long as that says "pending". */
    if (cs) {
        xen_overlay_mirror_host_address(opaque, cs);
    }
    xen_evtchn_inject_callback(vcpu);
}

const XovlOps xen_overlay_ops = {
    .vm_ioctl = xen_overlay_vm_ioctl,
    .vcpu_ioctl = xen_overlay_vcpu_ioctl,
    .place = xen_overlay_place,
    .open_window = xen_overlay_open_window,
    .grant_frame = xen_overlay_grant_frame,
    .pin = xen_overlay_pin,
    .unpin = xen_overlay_unpin,
    .copy_in = xen_overlay_copy_in,
    .copy_out = xen_overlay_copy_out,
    .inject_upcall = xen_overlay_inject_upcall,
};
