/*
 * The QMP commands in a QEMU for x86 without Xen emulation.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-xen-overlay-target.h"

/* Compiled for each target, the commands only exist for these. */
#ifdef TARGET_I386

XenOverlayInfo *qmp_query_xen_overlay(bool has_verify, bool verify,
                                      Error **errp)
{
    return g_new0(XenOverlayInfo, 1);
}

XenSharedInfo *qmp_query_xen_shared_info(Error **errp)
{
    error_setg(errp, "Xen emulation is not built into this QEMU");
    return NULL;
}

XenVcpuInfoList *qmp_query_xen_vcpu_info(bool has_cpu_index, int64_t cpu_index,
                                         Error **errp)
{
    error_setg(errp, "Xen emulation is not built into this QEMU");
    return NULL;
}

#endif /* TARGET_I386 */
