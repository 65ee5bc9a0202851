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
#include "hw/core/cpu.h"
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

static int xen_overlay_place_page(void *opaque, uint64_t gpa)
{
    XenOverlayState *s = opaque;

    xen_overlay_do_map_page(&s->shinfo_mem, gpa);
    return 0;
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

const XovlOps xen_overlay_ops = {
    .vm_ioctl = xen_overlay_vm_ioctl,
    .vcpu_ioctl = xen_overlay_vcpu_ioctl,
    .place_page = xen_overlay_place_page,
    .pin = xen_overlay_pin,
    .unpin = xen_overlay_unpin,
};
