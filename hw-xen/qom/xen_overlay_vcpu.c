/*
 * Where each vCPU's vcpu_info is: the overlay's view, kept in step with
 * CPUX86State, where xen-emu.c and the migration stream have it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "hw/i386/kvm/xen_overlay.h"
#include "hw/xen/interface/xen.h"
#include "system/kvm_xen.h"

#include "xen_overlay_state.h"
#include "trace/trace-subprojects_xen_overlay_hw_xen_qom.h"

/* Event delivery outside KVM goes by this pointer (xen_evtchn.c). */
void xen_overlay_mirror_host_address(XenOverlayState *s, CPUState *cs)
{
    X86_CPU(cs)->env.xen_vcpu_info_hva =
        xovl_vcpu_info(s->overlay, cs->cpu_index).host;
}

bool xen_overlay_attach(XenOverlayState *s, CPUState *cs, Error **errp)
{
    int ret = xovl_attach_vcpu(s->overlay, cs->cpu_index);

    trace_xen_overlay_attach_vcpu(cs->cpu_index, ret);
    if (ret == -ENOTSUP && xovl_refusal(s->overlay)) {
        error_setg(errp, "default-vcpu-info=%s needs %s; this kernel's KVM "
                   "does not have it",
                   qapi_enum_lookup(&xen_overlay_default_vcpu_info_lookup,
                                    s->default_vcpu_info),
                   xovl_refusal(s->overlay));
        return false;
    }
    if (ret) {
        error_setg_errno(errp, -ret, "vCPU %d could not be given its "
                         "vcpu_info", cs->cpu_index);
        return false;
    }
    xen_overlay_mirror_host_address(s, cs);
    return true;
}

int xen_overlay_attach_vcpu(CPUState *cs)
{
    Error *err = NULL;

    /* vCPUs that are there before the device are attached by its realize. */
    if (!xen_overlay_singleton) {
        return 0;
    }
    if (!xen_overlay_attach(xen_overlay_singleton, cs, &err)) {
        error_reportf_err(err, "xen-overlay: ");
        return -EIO;
    }
    return 0;
}

void xen_overlay_detach_vcpu(CPUState *cs)
{
    XenOverlayState *s = xen_overlay_singleton;
    int ret;

    if (!s) {
        return;
    }
    ret = xovl_detach_vcpu(s->overlay, cs->cpu_index);
    trace_xen_overlay_detach_vcpu(cs->cpu_index, ret);
    if (ret) {
        warn_report("xen-overlay: vCPU %d keeps its vcpu_info: %s",
                    cs->cpu_index, strerror(-ret));
    }
    xen_overlay_mirror_host_address(s, cs);
}

int xen_overlay_register_vcpu_info(CPUState *cs, CPUState *target,
                                   uint64_t gfn, uint32_t offset)
{
    XenOverlayState *s = xen_overlay_singleton;
    int ret;

    assert(bql_locked());

    if (!s) {
        return -ENOENT;
    }
    ret = xovl_register_vcpu_info(s->overlay, cs->cpu_index,
                                  target->cpu_index, gfn, offset);
    trace_xen_overlay_register_vcpu_info(target->cpu_index, gfn, offset, ret);
    xen_overlay_mirror_host_address(s, target);
    return ret;
}

int xen_overlay_reset_vcpu_info(CPUState *cs)
{
    XenOverlayState *s = xen_overlay_singleton;
    int ret;

    assert(bql_locked());

    if (!s) {
        return -ENOENT;
    }
    ret = xovl_reset_vcpu(s->overlay, cs->cpu_index);
    trace_xen_overlay_reset_vcpu_info(cs->cpu_index, ret);
    xen_overlay_mirror_host_address(s, cs);
    return ret;
}

int xen_overlay_put_vcpu_info(CPUState *cs)
{
    XenOverlayState *s = xen_overlay_singleton;
    uint64_t gpa = X86_CPU(cs)->env.xen_vcpu_info_gpa;
    int ret;

    if (!s) {
        return 0;
    }
    if (gpa == INVALID_GPA) {
        return xen_overlay_reset_vcpu_info(cs);
    }
    ret = xovl_restore_vcpu(s->overlay, cs->cpu_index, gpa);
    trace_xen_overlay_restore_vcpu_info(cs->cpu_index, gpa, ret);
    xen_overlay_mirror_host_address(s, cs);
    return ret;
}

void xen_overlay_get_vcpu_info(CPUState *cs)
{
    XenOverlayState *s = xen_overlay_singleton;
    CPUX86State *env = &X86_CPU(cs)->env;
    XovlVcpuInfoPlace place;

    if (!s) {
        return;
    }
    place = xovl_vcpu_info(s->overlay, cs->cpu_index);
    env->xen_vcpu_info_gpa =
        place.source == XOVL_VCPU_INFO_REGISTERED ? place.gpa : INVALID_GPA;
    /* In the stream for the sake of a QEMU that goes by it. */
    env->xen_vcpu_info_default_gpa =
        place.source == XOVL_VCPU_INFO_DEFAULT_SLOT ? place.gpa : INVALID_GPA;
    xen_overlay_mark_vcpu_info_dirty(s, cs);
}
