/*
 * The QMP commands query-xen-overlay, query-xen-shared-info and
 * query-xen-vcpu-info (qapi/xen-overlay-target.json): the overlay's answers as
 * QAPI types.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-xen-overlay-target.h"
#include "cpu.h"
#include "hw/core/cpu.h"
#include "system/kvm.h"
#include "system/kvm_xen.h"
#include <linux/kvm.h>

#include "xen_overlay_state.h"

static XenOverlayState *xen_overlay_or_error(Error **errp)
{
    if (!xen_overlay_singleton) {
        error_setg(errp, "This machine does not emulate Xen; start it with "
                   "-accel kvm,xen-version=...");
    }
    return xen_overlay_singleton;
}

static XenKvmCapabilityList *xen_kvm_capabilities(uint32_t bits)
{
    static const struct {
        uint32_t bit;
        XenKvmCapability capability;
    } names[] = {
        { KVM_XEN_HVM_CONFIG_HYPERCALL_MSR, XEN_KVM_CAPABILITY_HYPERCALL_MSR },
        { KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
          XEN_KVM_CAPABILITY_INTERCEPT_HCALL },
        { KVM_XEN_HVM_CONFIG_SHARED_INFO, XEN_KVM_CAPABILITY_SHARED_INFO },
        { KVM_XEN_HVM_CONFIG_RUNSTATE, XEN_KVM_CAPABILITY_RUNSTATE },
        { KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL, XEN_KVM_CAPABILITY_EVTCHN_2LEVEL },
        { KVM_XEN_HVM_CONFIG_EVTCHN_SEND, XEN_KVM_CAPABILITY_EVTCHN_SEND },
        { KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG,
          XEN_KVM_CAPABILITY_RUNSTATE_UPDATE_FLAG },
        { KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE,
          XEN_KVM_CAPABILITY_PVCLOCK_TSC_UNSTABLE },
        { KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA,
          XEN_KVM_CAPABILITY_SHARED_INFO_HVA },
    };
    XenKvmCapabilityList *list = NULL, **tail = &list;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (bits & names[i].bit) {
            QAPI_LIST_APPEND(tail, names[i].capability);
        }
    }
    return list;
}

static XenOverlayStats *xen_overlay_stats(XenOverlayState *s)
{
    XovlStats stats = xovl_stats(s->overlay);
    XenOverlayStats *result = g_new0(XenOverlayStats, 1);

    result->maps = stats.maps;
    result->unmaps = stats.unmaps;
    result->shared_info_sets = stats.shared_info_sets;
    result->vcpu_info_sets = stats.vcpu_info_sets;
    result->registrations = stats.registrations;
    result->rejected = stats.rejected;
    result->kvm_errors = stats.kvm_errors;
    return result;
}

static void add_difference(void *opaque, const XovlDifference *difference)
{
    static const XenOverlayAttribute attributes[] = {
        [XOVL_ATTRIBUTE_LONG_MODE] = XEN_OVERLAY_ATTRIBUTE_LONG_MODE,
        [XOVL_ATTRIBUTE_SHARED_INFO_GFN] =
            XEN_OVERLAY_ATTRIBUTE_SHARED_INFO_GFN,
        [XOVL_ATTRIBUTE_SHARED_INFO_HVA] =
            XEN_OVERLAY_ATTRIBUTE_SHARED_INFO_HVA,
        [XOVL_ATTRIBUTE_VCPU_INFO_GPA] = XEN_OVERLAY_ATTRIBUTE_VCPU_INFO_GPA,
        [XOVL_ATTRIBUTE_VCPU_INFO_HVA] = XEN_OVERLAY_ATTRIBUTE_VCPU_INFO_HVA,
    };
    XenOverlayDifferenceList ***tail = opaque;
    XenOverlayDifference *result = g_new0(XenOverlayDifference, 1);

    result->attribute = attributes[difference->attribute];
    result->has_cpu_index = difference->has_vcpu;
    result->cpu_index = difference->vcpu;
    result->has_expected = difference->has_expected;
    result->expected = difference->expected;
    result->has_actual = difference->has_actual;
    result->actual = difference->actual;
    QAPI_LIST_APPEND(*tail, result);
}

XenOverlayInfo *qmp_query_xen_overlay(bool has_verify, bool verify,
                                      Error **errp)
{
    XenOverlayState *s = xen_overlay_singleton;
    XenOverlayInfo *info = g_new0(XenOverlayInfo, 1);

    if (!s) {
        return info;
    }
    info->enabled = true;
    info->has_broken = true;
    info->broken = xovl_is_broken(s->overlay);

    info->has_shared_info_backend = true;
    info->shared_info_backend =
        xovl_shared_info_backend(s->overlay) == XOVL_SHARED_INFO_HVA
        ? XEN_SHARED_INFO_BACKEND_HVA : XEN_SHARED_INFO_BACKEND_GFN;

    info->has_default_vcpu_info_backend = true;
    switch (xovl_default_vcpu_info_backend(s->overlay)) {
    case XOVL_DEFAULT_VCPU_INFO_KERNEL:
        info->default_vcpu_info_backend = XEN_DEFAULT_VCPU_INFO_BACKEND_KERNEL;
        break;
    case XOVL_DEFAULT_VCPU_INFO_HVA:
        info->default_vcpu_info_backend = XEN_DEFAULT_VCPU_INFO_BACKEND_HVA;
        break;
    case XOVL_DEFAULT_VCPU_INFO_GPA:
        info->default_vcpu_info_backend = XEN_DEFAULT_VCPU_INFO_BACKEND_GPA;
        break;
    case XOVL_DEFAULT_VCPU_INFO_AUTO:
        /* Chosen with the first vCPU, and a machine has one. */
        g_assert_not_reached();
    }

    info->has_capabilities = true;
    info->capabilities = xen_kvm_capabilities(kvm_xen_get_caps());
    info->has_long_mode = true;
    info->long_mode = xovl_is_long_mode(s->overlay);
    info->shared_info_gpa = xovl_gpa(s->overlay);
    info->has_shared_info_gpa = info->shared_info_gpa != XOVL_NO_GPA;
    info->has_remap_method = true;
    info->remap_method = xen_overlay_host_page_gpa(s) == INVALID_GPA
        ? XEN_REMAP_METHOD_MEMSLOT : XEN_REMAP_METHOD_HOST_PAGE;
    info->stats = xen_overlay_stats(s);

    if (verify) {
        XenOverlayDifferenceList **tail = &info->differences;

        xovl_verify(s->overlay, add_difference, &tail);
        info->has_differences = true;
        info->has_kernel_agrees = true;
        info->kernel_agrees = info->differences == NULL;
    }
    return info;
}

/* The numbers of the ports whose bit is @set. */
static uint32List *ports(const uint64_t *bits, uint32_t count, bool set)
{
    uint32List *list = NULL, **tail = &list;

    for (uint32_t port = 0; port < count; port++) {
        if (extract64(bits[port / 64], port % 64, 1) == set) {
            QAPI_LIST_APPEND(tail, port);
        }
    }
    return list;
}

XenSharedInfo *qmp_query_xen_shared_info(Error **errp)
{
    XenOverlayState *s = xen_overlay_or_error(errp);
    XovlSharedInfoSnapshot page;
    XenSharedInfo *info;

    if (!s) {
        return NULL;
    }
    page = xovl_read_shared_info(s->overlay);

    info = g_new0(XenSharedInfo, 1);
    info->gpa = xovl_gpa(s->overlay);
    info->has_gpa = info->gpa != XOVL_NO_GPA;
    info->long_mode = page.long_mode;
    info->wallclock = g_new0(XenWallclock, 1);
    info->wallclock->version = page.wc_version;
    info->wallclock->seconds = page.wc_seconds;
    info->wallclock->nanoseconds = page.wc_nanoseconds;
    info->pending_ports = ports(page.pending, page.ports, true);
    info->unmasked_ports = ports(page.masked, page.ports, false);
    info->max_pfn = page.max_pfn;
    info->nmi_reason = page.nmi_reason;
    return info;
}

static XenVcpuInfo *xen_vcpu_info(XenOverlayState *s, CPUState *cs)
{
    static const XenVcpuInfoSource sources[] = {
        [XOVL_VCPU_INFO_NONE] = XEN_VCPU_INFO_SOURCE_NONE,
        [XOVL_VCPU_INFO_DEFAULT_SLOT] = XEN_VCPU_INFO_SOURCE_DEFAULT_SLOT,
        [XOVL_VCPU_INFO_REGISTERED] = XEN_VCPU_INFO_SOURCE_REGISTERED,
    };
    XovlVcpuInfoPlace place = xovl_vcpu_info(s->overlay, cs->cpu_index);
    XenVcpuInfo *info = g_new0(XenVcpuInfo, 1);
    XovlVcpuInfoSnapshot area;

    info->cpu_index = cs->cpu_index;
    info->vcpu_id = cs->cpu_index;
    info->source = sources[place.source];
    info->gpa = place.gpa;
    info->has_gpa = place.gpa != XOVL_NO_GPA;
    info->upcall_vector = X86_CPU(cs)->env.xen_vcpu_callback_vector;

    if (xovl_read_vcpu_info(s->overlay, cs->cpu_index, &area) == 0) {
        info->has_upcall_pending = true;
        info->upcall_pending = area.upcall_pending;
        info->has_upcall_mask = true;
        info->upcall_mask = area.upcall_mask;
        info->has_pending_sel = true;
        info->pending_sel = area.pending_sel;
        info->time = g_new0(XenVcpuTimeInfo, 1);
        info->time->version = area.time_version;
        info->time->tsc_timestamp = area.tsc_timestamp;
        info->time->system_time = area.system_time;
        info->time->tsc_to_system_mul = area.tsc_to_system_mul;
        info->time->tsc_shift = area.tsc_shift;
        info->time->flags = area.flags;
    }
    return info;
}

XenVcpuInfoList *qmp_query_xen_vcpu_info(bool has_cpu_index, int64_t cpu_index,
                                         Error **errp)
{
    XenOverlayState *s = xen_overlay_or_error(errp);
    XenVcpuInfoList *list = NULL, **tail = &list;
    CPUState *cs;

    if (!s) {
        return NULL;
    }
    CPU_FOREACH(cs) {
        if (!has_cpu_index || cs->cpu_index == cpu_index) {
            QAPI_LIST_APPEND(tail, xen_vcpu_info(s, cs));
        }
    }
    if (has_cpu_index && !list) {
        error_setg(errp, "There is no vCPU %" PRId64 "; query-cpus-fast lists "
                   "them", cpu_index);
    }
    return list;
}
