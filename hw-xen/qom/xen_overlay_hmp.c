/*
 * The HMP commands info xen-overlay, xen-shared-info and xen-vcpu-info: what
 * the QMP commands say, for people.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-xen-overlay-target.h"
#include "qobject/qdict.h"

#define SCREEN_WIDTH 80

static void print_places(Monitor *mon, const char *name, bool there,
                         uint64_t gpa)
{
    if (there) {
        monitor_printf(mon, "%-20s 0x%" PRIx64 "\n", name, gpa);
    } else {
        monitor_printf(mon, "%-20s not mapped\n", name);
    }
}

static void print_value(Monitor *mon, bool there, uint64_t value)
{
    if (there) {
        monitor_printf(mon, "0x%" PRIx64, value);
    } else {
        monitor_printf(mon, "other");
    }
}

void hmp_info_xen_overlay(Monitor *mon, const QDict *qdict)
{
    bool verify = qdict_get_try_bool(qdict, "verify", false);
    g_autoptr(XenOverlayInfo) info = qmp_query_xen_overlay(true, verify, NULL);
    XenOverlayDifferenceList *difference;
    XenKvmCapabilityList *capability;
    int column;

    if (!info->enabled) {
        monitor_printf(mon, "This machine does not emulate Xen\n");
        return;
    }
    monitor_printf(mon, "%-20s by %s\n", "shared_info",
                   XenSharedInfoBackend_str(info->shared_info_backend));
    monitor_printf(mon, "%-20s by %s\n", "default vcpu_info",
                   XenDefaultVcpuInfoBackend_str(
                       info->default_vcpu_info_backend));
    print_places(mon, "mapped at", info->has_shared_info_gpa,
                 info->shared_info_gpa);
    monitor_printf(mon, "%-20s %s\n", "layout",
                   info->long_mode ? "64-bit" : "32-bit");
    monitor_printf(mon, "%-20s %s\n", "moved by",
                   XenRemapMethod_str(info->remap_method));
    if (info->broken) {
        monitor_printf(mon, "%-20s yes: an operation failed and could not be "
                       "taken back\n", "broken");
    }
    monitor_printf(mon, "%-20s %" PRIu64 " maps, %" PRIu64 " unmaps, %" PRIu64
                   " registrations, %" PRIu64 " rejected\n", "by the guest",
                   info->stats->maps, info->stats->unmaps,
                   info->stats->registrations, info->stats->rejected);
    monitor_printf(mon, "%-20s %" PRIu64 " times of shared_info, %" PRIu64
                   " times of a vcpu_info, %" PRIu64 " errors\n", "told to KVM",
                   info->stats->shared_info_sets, info->stats->vcpu_info_sets,
                   info->stats->kvm_errors);
    column = monitor_printf(mon, "%-20s", "KVM has");
    for (capability = info->capabilities; capability;
         capability = capability->next) {
        const char *name = XenKvmCapability_str(capability->value);

        if (column + 1 + strlen(name) > SCREEN_WIDTH) {
            monitor_printf(mon, "\n");
            column = monitor_printf(mon, "%-20s", "");
        }
        column += monitor_printf(mon, " %s", name);
    }
    monitor_printf(mon, "\n");
    if (!info->has_kernel_agrees) {
        return;
    }
    monitor_printf(mon, "%-20s %s\n", "KVM agrees",
                   info->kernel_agrees ? "yes" : "no");
    for (difference = info->differences; difference;
         difference = difference->next) {
        XenOverlayDifference *it = difference->value;

        monitor_printf(mon, "  %s", XenOverlayAttribute_str(it->attribute));
        if (it->has_cpu_index) {
            monitor_printf(mon, " of vCPU %" PRId64, it->cpu_index);
        }
        monitor_printf(mon, ": expected ");
        print_value(mon, it->has_expected, it->expected);
        monitor_printf(mon, ", is ");
        print_value(mon, it->has_actual, it->actual);
        monitor_printf(mon, "\n");
    }
}

/* Ports as ranges: a fresh page has all of them unmasked. */
static void print_ports(Monitor *mon, const char *name, uint32List *list)
{
    monitor_printf(mon, "%-20s", name);
    if (!list) {
        monitor_printf(mon, " none");
    }
    while (list) {
        uint32_t first = list->value;
        uint32_t last = first;

        while (list->next && list->next->value == last + 1) {
            list = list->next;
            last = list->value;
        }
        if (first == last) {
            monitor_printf(mon, " %" PRIu32, first);
        } else {
            monitor_printf(mon, " %" PRIu32 "-%" PRIu32, first, last);
        }
        list = list->next;
    }
    monitor_printf(mon, "\n");
}

void hmp_info_xen_shared_info(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(XenSharedInfo) info = qmp_query_xen_shared_info(&err);

    if (hmp_handle_error(mon, err)) {
        return;
    }
    print_places(mon, "mapped at", info->has_gpa, info->gpa);
    monitor_printf(mon, "%-20s %s\n", "layout",
                   info->long_mode ? "64-bit" : "32-bit");
    monitor_printf(mon, "%-20s %" PRIu64 ".%09" PRIu32 " s, version %" PRIu32
                   "\n", "wallclock", info->wallclock->seconds,
                   info->wallclock->nanoseconds, info->wallclock->version);
    print_ports(mon, "pending ports", info->pending_ports);
    print_ports(mon, "unmasked ports", info->unmasked_ports);
    monitor_printf(mon, "%-20s 0x%" PRIx64 "\n", "max_pfn", info->max_pfn);
    monitor_printf(mon, "%-20s 0x%" PRIx64 "\n", "nmi_reason",
                   info->nmi_reason);
}

void hmp_info_xen_vcpu_info(Monitor *mon, const QDict *qdict)
{
    int64_t cpu_index = qdict_get_try_int(qdict, "cpu-index", -1);
    Error *err = NULL;
    g_autoptr(XenVcpuInfoList) list =
        qmp_query_xen_vcpu_info(cpu_index >= 0, cpu_index, &err);
    XenVcpuInfoList *it;

    if (hmp_handle_error(mon, err)) {
        return;
    }
    monitor_printf(mon, "%4s %-12s %12s %18s %7s %7s %9s %4s\n", "vCPU",
                   "source", "gpa", "pending_sel", "upcall", "version",
                   "time/s", "vec");
    for (it = list; it; it = it->next) {
        XenVcpuInfo *vcpu = it->value;
        g_autofree char *gpa = vcpu->has_gpa
            ? g_strdup_printf("0x%" PRIx64, vcpu->gpa) : g_strdup("-");

        monitor_printf(mon, "%4" PRId64 " %-12s %12s", vcpu->cpu_index,
                       XenVcpuInfoSource_str(vcpu->source), gpa);
        if (vcpu->time) {
            g_autofree char *sel =
                g_strdup_printf("0x%" PRIx64, vcpu->pending_sel);

            monitor_printf(mon, " %18s %7s %7" PRIu32 " %9.3f", sel,
                           vcpu->upcall_pending ? "pending" : "-",
                           vcpu->time->version,
                           vcpu->time->system_time / 1e9);
        } else {
            monitor_printf(mon, " %18s %7s %7s %9s", "-", "-", "-", "-");
        }
        monitor_printf(mon, " 0x%02x\n", vcpu->upcall_vector);
    }
}
