/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xovl.h is a C header, and a C program can link what it declares: QEMU's
 * position.  Hence no test framework here.
 */
#include <errno.h>
#include <stdio.h>

#include "xen-overlay/xovl.h"

static int ioctls;

static int vm_ioctl(void *opaque, unsigned long request, void *arg)
{
    (void)opaque;
    (void)request;
    (void)arg;
    ioctls++;
    return 0;
}

static int vcpu_ioctl(void *opaque, uint32_t vcpu, unsigned long request,
                      void *arg)
{
    (void)opaque;
    (void)vcpu;
    (void)request;
    (void)arg;
    ioctls++;
    return 0;
}

static int place_page(void *opaque, uint64_t gpa)
{
    (void)opaque;
    (void)gpa;
    return 0;
}

static int pin(void *opaque, uint64_t gpa, size_t size, XovlPin *pinned)
{
    (void)opaque;
    (void)gpa;
    (void)size;
    (void)pinned;
    return -EINVAL;
}

static void unpin(void *opaque, XovlPin pinned)
{
    (void)opaque;
    (void)pinned;
}

static const XovlOps ops = {
    .vm_ioctl = vm_ioctl,
    .vcpu_ioctl = vcpu_ioctl,
    .place_page = place_page,
    .pin = pin,
    .unpin = unpin,
};

static _Alignas(4096) char page[4096];

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%d: not true: %s\n", __LINE__, #condition);       \
            return 1;                                                          \
        }                                                                      \
    } while (0)

int main(void)
{
    const XovlConfig config = {.page = page};
    XovlOverlay *overlay = xovl_new(&config, &ops, NULL);

    CHECK(overlay);
    CHECK(ioctls == 0);
    CHECK(xovl_start(overlay) == 0);
    CHECK(xovl_refusal(overlay) == NULL);
    CHECK(xovl_shared_info_backend(overlay) == XOVL_SHARED_INFO_GFN);
    CHECK(xovl_default_vcpu_info_backend(overlay) ==
          XOVL_DEFAULT_VCPU_INFO_AUTO);
    CHECK(xovl_attach_vcpu(overlay, 0) == 0);
    CHECK(xovl_map(overlay, 0x1000) == 0);
    CHECK(xovl_gpa(overlay) == 0x1000);
    /* The mode read and set, the page, a slot. */
    CHECK(ioctls == 4);
    CHECK(xovl_register_vcpu_info(overlay, 0, 0x2000) == -EINVAL);
    CHECK(xovl_vcpu_info(overlay, 0).source == XOVL_VCPU_INFO_DEFAULT_SLOT);
    CHECK(xovl_reset_vcpu(overlay, 0) == 0);
    CHECK(xovl_restore(overlay, XOVL_NO_GPA, true) == 0);
    CHECK(xovl_is_long_mode(overlay));
    CHECK(xovl_set_long_mode(overlay, false) == 0);
    CHECK(xovl_sync_long_mode(overlay) == 0);
    CHECK(xovl_refresh_wallclock(overlay) == 0);
    CHECK(xovl_detach_vcpu(overlay, 0) == 0);
    CHECK(!xovl_is_broken(overlay));
    xovl_free(overlay);
    return 0;
}
