/*
 * The C interface of the Xen overlay: all that QEMU's side sees of the C++.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every function answers 0 or a negative errno unless it says otherwise.  An
 * error has changed nothing, or xovl_is_broken() is true afterwards.
 *
 * Threads: one call at a time (QEMU: under the BQL); only
 * xovl_is_long_mode, xovl_set_long_mode and xovl_sync_long_mode may be
 * called without.  XovlOps are called from the calling thread, inside the
 * call.
 */
#ifndef XEN_OVERLAY_XOVL_H
#define XEN_OVERLAY_XOVL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct XovlOverlay XovlOverlay;

/* "No guest physical address", as KVM_XEN_INVALID_GPA. */
#define XOVL_NO_GPA UINT64_MAX

/* The values are those of the properties shared-info and default-vcpu-info. */
typedef enum XovlSharedInfo {
    XOVL_SHARED_INFO_AUTO,
    XOVL_SHARED_INFO_HVA,
    XOVL_SHARED_INFO_GFN,
} XovlSharedInfo;

typedef enum XovlDefaultVcpuInfo {
    XOVL_DEFAULT_VCPU_INFO_AUTO,
    XOVL_DEFAULT_VCPU_INFO_KERNEL,
    XOVL_DEFAULT_VCPU_INFO_HVA,
    XOVL_DEFAULT_VCPU_INFO_GPA,
} XovlDefaultVcpuInfo;

typedef enum XovlVcpuInfoSource {
    XOVL_VCPU_INFO_NONE,
    XOVL_VCPU_INFO_DEFAULT_SLOT,
    XOVL_VCPU_INFO_REGISTERED,
} XovlVcpuInfoSource;

/* Guest RAM that stays where it is; `token` is the implementer's own. */
typedef struct XovlPin {
    void *host;
    void *token;
} XovlPin;

/* A page of Xen's own; NULL is shared_info, others are the implementer's. */
typedef void *XovlPage;

typedef struct XovlOps {
    /* KVM's ioctls on the VM and on the vCPU with this index. */
    int (*vm_ioctl)(void *opaque, unsigned long request, void *arg);
    int (*vcpu_ioctl)(void *opaque, uint32_t vcpu, unsigned long request,
                      void *arg);
    /* Show the page at `gpa`, and nowhere if that is XOVL_NO_GPA. */
    int (*place)(void *opaque, XovlPage page, uint64_t gpa);
    /*
     * Show shared_info at an address of the implementer's choice as well,
     * for good.  May be called again.
     */
    int (*open_window)(void *opaque, uint64_t *gpa);
    /* -EINVAL: the grant table has no such frame. */
    int (*grant_frame)(void *opaque, uint64_t index, XovlPage *page);
    /* -EINVAL where [gpa, gpa + size) is not RAM. */
    int (*pin)(void *opaque, uint64_t gpa, size_t size, XovlPin *pin);
    void (*unpin)(void *opaque, XovlPin pin);
    /* Memory of the `caller` of a hypercall, by its virtual addresses. */
    int (*copy_in)(void *opaque, void *caller, uint64_t gva, void *to,
                   size_t size);
    int (*copy_out)(void *opaque, void *caller, uint64_t gva, const void *from,
                    size_t size);
    /* Call the guest on this vCPU: its evtchn_upcall_pending became 1. */
    void (*inject_upcall)(void *opaque, uint32_t vcpu);
} XovlOps;

/* Guest frames [first, end) at which no page can be made to show. */
typedef struct XovlFrameRange {
    uint64_t first;
    uint64_t end;
} XovlFrameRange;

typedef struct XovlConfig {
    void *page;                /* 4096 bytes, page aligned, zeroed */
    uint32_t kvm_capabilities; /* KVM_CHECK_EXTENSION(KVM_CAP_XEN_HVM) */
    uint32_t xen_version;      /* major << 16 | minor */
    /* What both the guest and KVM can address, at most 52. */
    uint32_t address_bits;
    const XovlFrameRange *taken; /* copied */
    size_t taken_count;
    XovlSharedInfo shared_info;
    XovlDefaultVcpuInfo default_vcpu_info;
} XovlConfig;

typedef struct XovlVcpuInfoPlace {
    XovlVcpuInfoSource source;
    uint64_t gpa; /* XOVL_NO_GPA: not in guest memory now */
    void *host;   /* NULL for XOVL_VCPU_INFO_NONE only */
} XovlVcpuInfoPlace;

/* What happened since xovl_new(); see XenOverlayStats in QEMU's QAPI schema. */
typedef struct XovlStats {
    uint64_t maps;
    uint64_t unmaps;
    uint64_t shared_info_sets;
    uint64_t vcpu_info_sets;
    uint64_t registrations;
    uint64_t rejected;
    uint64_t kvm_errors;
} XovlStats;

typedef enum XovlAttribute {
    XOVL_ATTRIBUTE_LONG_MODE,
    XOVL_ATTRIBUTE_SHARED_INFO_GFN,
    XOVL_ATTRIBUTE_SHARED_INFO_HVA,
    XOVL_ATTRIBUTE_VCPU_INFO_GPA,
    XOVL_ATTRIBUTE_VCPU_INFO_HVA,
} XovlAttribute;

/* Something that KVM has otherwise than the overlay believes. */
typedef struct XovlDifference {
    XovlAttribute attribute;
    bool has_vcpu;
    uint32_t vcpu;
    /* Not for host addresses, nor for "none" or no answer. */
    bool has_expected;
    uint64_t expected;
    bool has_actual;
    uint64_t actual;
} XovlDifference;

/* shared_info, whichever layout the guest uses.  Bit 0 is port 0. */
typedef struct XovlSharedInfoSnapshot {
    bool long_mode;
    uint32_t ports;
    uint32_t wc_version;
    uint64_t wc_seconds;
    uint32_t wc_nanoseconds;
    uint64_t pending[64];
    uint64_t masked[64];
    uint64_t max_pfn;
    uint64_t nmi_reason;
} XovlSharedInfoSnapshot;

/* A vcpu_info, likewise. */
typedef struct XovlVcpuInfoSnapshot {
    bool upcall_pending;
    bool upcall_mask;
    uint64_t pending_sel;
    uint32_t time_version;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
} XovlVcpuInfoSnapshot;

/* `ops` and `config->page` must outlive the overlay.  Never NULL. */
XovlOverlay *xovl_new(const XovlConfig *config, const XovlOps *ops,
                      void *opaque);
void xovl_free(XovlOverlay *overlay);

/*
 * Once, before any vCPU runs.  -ENOTSUP: the kernel lacks what the
 * configuration asks for; xovl_refusal() says what.
 */
int xovl_start(XovlOverlay *overlay);
/* NULL, or what the kernel lacks, after an -ENOTSUP.  A literal. */
const char *xovl_refusal(const XovlOverlay *overlay);

/* A vCPU exists (-ENOTSUP as above), or is about to go. */
int xovl_attach_vcpu(XovlOverlay *overlay, uint32_t vcpu);
int xovl_detach_vcpu(XovlOverlay *overlay, uint32_t vcpu);

/*
 * Whether xovl_memory_op() would know the operation.  Needs no lock, and none
 * has to be taken for a hypercall that is nobody's.
 */
bool xovl_is_memory_op(uint64_t command);
/*
 * HYPERVISOR_memory_op.  False: not an operation that concerns Xen's own
 * pages; else `answer` is what the guest is told.  `caller` is handed on to
 * copy_in and copy_out, `domid` is the guest's.
 */
bool xovl_memory_op(XovlOverlay *overlay, void *caller, uint16_t domid,
                    bool long_mode, uint64_t command, uint64_t argument,
                    int *answer);
/* Show a page of Xen's at a page aligned `gpa`; XOVL_NO_GPA: nowhere. */
int xovl_place(XovlOverlay *overlay, XovlPage page, uint64_t gpa);

/* VCPUOP_register_vcpu_info of `target`, by the vCPU `caller`. */
int xovl_register_vcpu_info(XovlOverlay *overlay, uint32_t caller,
                            uint32_t target, uint64_t gfn, uint32_t offset);
/* The place that a migration stream says; nothing is written there. */
int xovl_restore_vcpu(XovlOverlay *overlay, uint32_t vcpu, uint64_t gpa);
/* Back to the default slot. */
int xovl_reset_vcpu(XovlOverlay *overlay, uint32_t vcpu);

/* A new life of the machine, whose vCPUs must not run. */
int xovl_reset(XovlOverlay *overlay);

/* Take over a migration stream's state.  XOVL_NO_GPA: unmapped. */
int xovl_restore(XovlOverlay *overlay, uint64_t gpa, bool long_mode);

/* After a load, when every vCPU has its place and before one runs. */
int xovl_recall_events(XovlOverlay *overlay);

bool xovl_is_long_mode(const XovlOverlay *overlay);
int xovl_set_long_mode(XovlOverlay *overlay, bool long_mode);
/* Ask KVM, which latches the mode by itself. */
int xovl_sync_long_mode(XovlOverlay *overlay);

/* After the guest's clock was set. */
int xovl_refresh_wallclock(XovlOverlay *overlay);

/* XOVL_NO_GPA: unmapped. */
uint64_t xovl_gpa(const XovlOverlay *overlay);
/* Never AUTO after xovl_start(). */
XovlSharedInfo xovl_shared_info_backend(const XovlOverlay *overlay);
/* AUTO until the first vCPU is attached. */
XovlDefaultVcpuInfo
xovl_default_vcpu_info_backend(const XovlOverlay *overlay);
XovlVcpuInfoPlace xovl_vcpu_info(const XovlOverlay *overlay, uint32_t vcpu);
bool xovl_is_broken(const XovlOverlay *overlay);

XovlStats xovl_stats(const XovlOverlay *overlay);

/*
 * Read KVM's attributes back and call `found` for each that is not as the
 * overlay believes.  Each vCPU leaves KVM_RUN for it; nothing is changed.
 */
void xovl_verify(XovlOverlay *overlay,
                 void (*found)(void *opaque, const XovlDifference *difference),
                 void *opaque);

/* These two change nothing and ask nobody. */
XovlSharedInfoSnapshot xovl_read_shared_info(const XovlOverlay *overlay);
/* -ENOENT: the vCPU has no vcpu_info. */
int xovl_read_vcpu_info(const XovlOverlay *overlay, uint32_t vcpu,
                        XovlVcpuInfoSnapshot *snapshot);

#ifdef __cplusplus
}
#endif

#endif /* XEN_OVERLAY_XOVL_H */
