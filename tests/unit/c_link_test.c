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

static int place(void *opaque, XovlPage shown, uint64_t gpa)
{
    (void)opaque;
    (void)shown;
    (void)gpa;
    return 0;
}

static int open_window(void *opaque, uint64_t *gpa)
{
    (void)opaque;
    *gpa = 0xfeffa000;
    return 0;
}

static int grant_frame(void *opaque, uint64_t index, XovlPage *frame)
{
    (void)opaque;
    (void)index;
    (void)frame;
    return -EINVAL;
}

static int copy_in(void *opaque, void *caller, uint64_t gva, void *to,
                   size_t size)
{
    (void)opaque;
    (void)caller;
    (void)gva;
    (void)to;
    (void)size;
    return -EFAULT;
}

static int copy_out(void *opaque, void *caller, uint64_t gva, const void *from,
                    size_t size)
{
    (void)opaque;
    (void)caller;
    (void)gva;
    (void)from;
    (void)size;
    return -EFAULT;
}

static void inject_upcall(void *opaque, uint32_t vcpu)
{
    (void)opaque;
    (void)vcpu;
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
    .place = place,
    .open_window = open_window,
    .grant_frame = grant_frame,
    .pin = pin,
    .unpin = unpin,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .inject_upcall = inject_upcall,
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
    const XovlConfig config = {.page = page, .address_bits = 40};
    int answer = 0;
    XovlOverlay *overlay = xovl_new(&config, &ops, NULL);

    CHECK(overlay);
    CHECK(ioctls == 0);
    CHECK(xovl_start(overlay) == 0);
    CHECK(xovl_refusal(overlay) == NULL);
    CHECK(xovl_shared_info_backend(overlay) == XOVL_SHARED_INFO_GFN);
    CHECK(xovl_default_vcpu_info_backend(overlay) ==
          XOVL_DEFAULT_VCPU_INFO_AUTO);
    CHECK(xovl_attach_vcpu(overlay, 0) == 0);
    CHECK(xovl_place(overlay, NULL, 0x1000) == 0);
    CHECK(xovl_gpa(overlay) == 0x1000);
    /*
     * The mode read and set, upon which an old KVM has the page asked for and
     * set; the page; the vCPU asked, its slot; and at the map all that about
     * the mode again, which is not the one that was set.
     */
    CHECK(ioctls == 4 + 1 + 2 + 4);
    CHECK(xovl_register_vcpu_info(overlay, 0, 0, 2, 0) == -EINVAL);
    CHECK(xovl_restore_vcpu(overlay, 0, 0x2000) == -EINVAL);
    CHECK(xovl_memory_op(overlay, NULL, 1, true, 7, 0, &answer));
    CHECK(answer == -EFAULT);
    CHECK(xovl_vcpu_info(overlay, 0).source == XOVL_VCPU_INFO_DEFAULT_SLOT);
    CHECK(xovl_reset_vcpu(overlay, 0) == 0);
    CHECK(xovl_restore(overlay, XOVL_NO_GPA, true) == 0);
    CHECK(xovl_is_long_mode(overlay));
    CHECK(xovl_set_long_mode(overlay, false) == 0);
    CHECK(xovl_sync_long_mode(overlay) == 0);
    CHECK(xovl_refresh_wallclock(overlay) == 0);
    CHECK(xovl_reset(overlay) == 0);
    CHECK(xovl_detach_vcpu(overlay, 0) == 0);
    CHECK(!xovl_is_broken(overlay));
    xovl_free(overlay);
    return 0;
}
