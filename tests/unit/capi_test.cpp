// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface as QEMU's glue uses it: through xovl.h, with ops that are C
// functions.  What the overlay does is tested elsewhere; here is whether it
// comes through, in both directions.
#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>
#include <optional>

#include <linux/kvm.h>

#include "fakes/fake_address_space.hpp"
#include "fakes/fake_kvm.hpp"
#include "xen-overlay/xovl.h"

namespace xovl
{
namespace
{

using fakes::Generation;

struct Glue {
    explicit Glue(Generation generation) : kvm(generation, faults)
    {
        for (const std::uint32_t id : {0U, 5U, 40U}) {
            kvm.add_vcpu(abi::VcpuId{id});
        }
        // One page of it, wherever the guest puts the page.
        kvm_userspace_memory_region region = {};
        region.guest_phys_addr = 0x5000;
        region.memory_size = sizeof(page);
        region.userspace_addr = reinterpret_cast<std::uintptr_t>(page);
        EXPECT_EQ(kvm.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);
        region.slot = 1;
        region.guest_phys_addr = 0x6000;
        EXPECT_EQ(kvm.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);
    }

    alignas(4096) std::byte page[4096] = {};
    fakes::Faults faults;
    fakes::FakeKvm kvm;
    fakes::FakeAddressSpace space{faults, 0x10000};
};

Glue &glue(void *opaque)
{
    return *static_cast<Glue *>(opaque);
}

int errno_of(const core::Status &status)
{
    return status ? 0 : status.error().value();
}

extern "C" {

static int glue_vm_ioctl(void *opaque, unsigned long request, void *arg)
{
    return glue(opaque).kvm.vm_ioctl(request, arg);
}

static int glue_vcpu_ioctl(void *opaque, uint32_t vcpu, unsigned long request,
                           void *arg)
{
    return glue(opaque).kvm.vcpu_ioctl(abi::VcpuId{vcpu}, request, arg);
}

static int glue_place_page(void *opaque, uint64_t gpa)
{
    return errno_of(glue(opaque).space.place_page(
        gpa == XOVL_NO_GPA ? std::nullopt : std::optional(abi::Gpa{gpa})));
}

static int glue_pin(void *opaque, uint64_t gpa, size_t size, XovlPin *pin)
{
    EXPECT_EQ(size, abi::kVcpuInfoSize);
    const auto pinned = glue(opaque).space.pin(abi::Gpa{gpa}, size);
    if (!pinned) {
        return pinned.error().value();
    }
    *pin = {pinned->host, pinned->token};
    return 0;
}

static void glue_unpin(void *opaque, XovlPin pin)
{
    glue(opaque).space.unpin({pin.host, pin.token});
}

} // extern "C"

constexpr XovlOps kOps = {glue_vm_ioctl, glue_vcpu_ioctl, glue_place_page,
                          glue_pin, glue_unpin};

class Capi : public testing::Test
{
protected:
    ~Capi() override { xovl_free(overlay_); }

    int start(Generation generation,
              XovlSharedInfo shared_info = XOVL_SHARED_INFO_AUTO,
              XovlDefaultVcpuInfo vcpu_info = XOVL_DEFAULT_VCPU_INFO_AUTO)
    {
        xovl_free(overlay_);
        glue_.emplace(generation);
        const XovlConfig config = {glue_->page, glue_->kvm.capabilities(),
                                   shared_info, vcpu_info};
        overlay_ = xovl_new(&config, &kOps, &*glue_);
        return xovl_start(overlay_);
    }

    std::optional<Glue> glue_;
    XovlOverlay *overlay_ = nullptr;
};

struct BackendCase {
    Generation generation;
    XovlSharedInfo shared_asked;
    XovlDefaultVcpuInfo default_asked;
    XovlSharedInfo shared_info;
    XovlDefaultVcpuInfo default_vcpu_info;
};

// Every value of both enums, in and out.
constexpr BackendCase kBackendCases[] = {
    {Generation::Gfn, XOVL_SHARED_INFO_AUTO, XOVL_DEFAULT_VCPU_INFO_AUTO,
     XOVL_SHARED_INFO_GFN, XOVL_DEFAULT_VCPU_INFO_GPA},
    {Generation::Hva, XOVL_SHARED_INFO_AUTO, XOVL_DEFAULT_VCPU_INFO_AUTO,
     XOVL_SHARED_INFO_HVA, XOVL_DEFAULT_VCPU_INFO_HVA},
    {Generation::Kernel, XOVL_SHARED_INFO_AUTO, XOVL_DEFAULT_VCPU_INFO_AUTO,
     XOVL_SHARED_INFO_HVA, XOVL_DEFAULT_VCPU_INFO_KERNEL},
    {Generation::Kernel, XOVL_SHARED_INFO_GFN, XOVL_DEFAULT_VCPU_INFO_KERNEL,
     XOVL_SHARED_INFO_GFN, XOVL_DEFAULT_VCPU_INFO_KERNEL},
    {Generation::Hva, XOVL_SHARED_INFO_GFN, XOVL_DEFAULT_VCPU_INFO_HVA,
     XOVL_SHARED_INFO_GFN, XOVL_DEFAULT_VCPU_INFO_HVA},
    {Generation::Hva, XOVL_SHARED_INFO_HVA, XOVL_DEFAULT_VCPU_INFO_GPA,
     XOVL_SHARED_INFO_HVA, XOVL_DEFAULT_VCPU_INFO_GPA},
};

TEST_F(Capi, Backends)
{
    for (const BackendCase &c : kBackendCases) {
        SCOPED_TRACE(&c - kBackendCases);
        ASSERT_EQ(start(c.generation, c.shared_asked, c.default_asked), 0);
        EXPECT_EQ(xovl_shared_info_backend(overlay_), c.shared_info);
        EXPECT_EQ(xovl_default_vcpu_info_backend(overlay_),
                  XOVL_DEFAULT_VCPU_INFO_AUTO);
        ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
        EXPECT_EQ(xovl_default_vcpu_info_backend(overlay_),
                  c.default_vcpu_info);
        EXPECT_EQ(xovl_refusal(overlay_), nullptr);
    }
}

TEST_F(Capi, Refusals)
{
    EXPECT_EQ(start(Generation::Gfn, XOVL_SHARED_INFO_HVA), -ENOTSUP);
    EXPECT_NE(xovl_refusal(overlay_), nullptr);

    for (const auto asked :
         {XOVL_DEFAULT_VCPU_INFO_KERNEL, XOVL_DEFAULT_VCPU_INFO_HVA}) {
        ASSERT_EQ(start(Generation::Gfn, XOVL_SHARED_INFO_AUTO, asked), 0);
        EXPECT_EQ(xovl_refusal(overlay_), nullptr);
        EXPECT_EQ(xovl_attach_vcpu(overlay_, 0), -ENOTSUP);
        EXPECT_NE(xovl_refusal(overlay_), nullptr);
    }
}

TEST_F(Capi, MapAndUnmap)
{
    for (const auto generation :
         {Generation::Gfn, Generation::Hva, Generation::Kernel}) {
        ASSERT_EQ(start(generation), 0);
        EXPECT_EQ(xovl_gpa(overlay_), XOVL_NO_GPA);
        ASSERT_EQ(xovl_map(overlay_, 0x5000), 0);
        EXPECT_EQ(xovl_gpa(overlay_), 0x5000U);
        EXPECT_EQ(glue_->space.page(), abi::Gpa{0x5000});
        EXPECT_EQ(xovl_map(overlay_, 0x5001), -EINVAL);
        ASSERT_EQ(xovl_map(overlay_, XOVL_NO_GPA), 0);
        EXPECT_EQ(xovl_gpa(overlay_), XOVL_NO_GPA);
        EXPECT_EQ(glue_->space.page(), std::nullopt);
    }
}

TEST_F(Capi, VcpuInfo)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 5), 0);
    EXPECT_EQ(xovl_attach_vcpu(overlay_, 5), -EEXIST);

    XovlVcpuInfoPlace place = xovl_vcpu_info(overlay_, 5);
    EXPECT_EQ(place.source, XOVL_VCPU_INFO_DEFAULT_SLOT);
    EXPECT_EQ(place.gpa, XOVL_NO_GPA);
    EXPECT_EQ(place.host, glue_->page + std::size_t{5} * 64);
    ASSERT_EQ(xovl_map(overlay_, 0x6000), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).gpa, 0x6140U);

    ASSERT_EQ(xovl_register_vcpu_info(overlay_, 5, 0x5040), 0);
    place = xovl_vcpu_info(overlay_, 5);
    EXPECT_EQ(place.source, XOVL_VCPU_INFO_REGISTERED);
    EXPECT_EQ(place.gpa, 0x5040U);
    EXPECT_EQ(place.host, glue_->space.host(abi::Gpa{0x5040}));
    EXPECT_EQ(glue_->space.pins(), 1U);
    EXPECT_EQ(xovl_register_vcpu_info(overlay_, 5, 0x5fff), -EINVAL);
    EXPECT_EQ(xovl_register_vcpu_info(overlay_, 5, XOVL_NO_GPA), -EINVAL);
    EXPECT_EQ(xovl_register_vcpu_info(overlay_, 5, 0x20000), -EINVAL);

    ASSERT_EQ(xovl_reset_vcpu(overlay_, 5), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).source, XOVL_VCPU_INFO_DEFAULT_SLOT);
    EXPECT_EQ(glue_->space.pins(), 0U);

    ASSERT_EQ(xovl_detach_vcpu(overlay_, 5), 0);
    EXPECT_EQ(xovl_detach_vcpu(overlay_, 5), -ENOENT);
    EXPECT_EQ(xovl_reset_vcpu(overlay_, 5), -ENOENT);
    EXPECT_EQ(xovl_register_vcpu_info(overlay_, 5, 0x5040), -ENOENT);
    place = xovl_vcpu_info(overlay_, 5);
    EXPECT_EQ(place.source, XOVL_VCPU_INFO_NONE);
    EXPECT_EQ(place.gpa, XOVL_NO_GPA);
    EXPECT_EQ(place.host, nullptr);
}

TEST_F(Capi, VcpuWithoutASlot)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 40), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 40).source, XOVL_VCPU_INFO_NONE);
}

TEST_F(Capi, LongMode)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));
    ASSERT_EQ(xovl_set_long_mode(overlay_, false), 0);
    EXPECT_FALSE(xovl_is_long_mode(overlay_));
    ASSERT_EQ(xovl_set_long_mode(overlay_, true), 0);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));

    kvm_xen_hvm_attr attr = {};
    attr.type = KVM_XEN_ATTR_TYPE_LONG_MODE;
    ASSERT_EQ(glue_->kvm.vm_ioctl(KVM_XEN_HVM_SET_ATTR, &attr), 0);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));
    ASSERT_EQ(xovl_sync_long_mode(overlay_), 0);
    EXPECT_FALSE(xovl_is_long_mode(overlay_));
    EXPECT_EQ(xovl_refresh_wallclock(overlay_), 0);
}

TEST_F(Capi, Restore)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    ASSERT_EQ(xovl_restore(overlay_, 0x6000, true), 0);
    EXPECT_EQ(xovl_gpa(overlay_), 0x6000U);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));
    ASSERT_EQ(xovl_restore(overlay_, XOVL_NO_GPA, false), 0);
    EXPECT_EQ(xovl_gpa(overlay_), XOVL_NO_GPA);
    EXPECT_FALSE(xovl_is_long_mode(overlay_));
    EXPECT_EQ(xovl_restore(overlay_, 0x6001, false), -EINVAL);
}

TEST_F(Capi, ErrorsComeThrough)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    // No memory that KVM knows of.
    EXPECT_EQ(xovl_map(overlay_, 0x7000), -EFAULT);
    EXPECT_EQ(xovl_gpa(overlay_), XOVL_NO_GPA);
    EXPECT_FALSE(xovl_is_broken(overlay_));
    // The first call fails, and taking it back works.
    for (const int error : {-EFAULT, -EINTR, -ENOMEM}) {
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(xovl_map(overlay_, 0x5000), error);
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(xovl_register_vcpu_info(overlay_, 0, 0x5000), error);
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(xovl_sync_long_mode(overlay_), error);
    }
    EXPECT_FALSE(xovl_is_broken(overlay_));
    EXPECT_EQ(glue_->space.pins(), 0U);
}

// A guest can bring this about: what is mapped over the page later is a
// memslot of its own, or none.  It must not be able to break the overlay.
TEST_F(Capi, PageLosesItsMemory)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    ASSERT_EQ(xovl_map(overlay_, 0x6000), 0);
    kvm_userspace_memory_region region = {};
    region.slot = 1;
    ASSERT_EQ(glue_->kvm.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);

    EXPECT_EQ(xovl_set_long_mode(overlay_, false), -EFAULT);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));
    ASSERT_EQ(xovl_sync_long_mode(overlay_), 0);
    EXPECT_TRUE(xovl_is_long_mode(overlay_));
    EXPECT_EQ(xovl_refresh_wallclock(overlay_), -EFAULT);
    EXPECT_FALSE(xovl_is_broken(overlay_));
    // Elsewhere all is well.
    EXPECT_EQ(xovl_map(overlay_, 0x5000), 0);
    EXPECT_EQ(xovl_set_long_mode(overlay_, false), 0);
}

TEST_F(Capi, Broken)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    glue_->faults.fail_from_nth(2, -EINTR);
    EXPECT_EQ(xovl_map(overlay_, 0x5000), -EINTR);
    EXPECT_TRUE(xovl_is_broken(overlay_));
    glue_->faults.clear();
    EXPECT_EQ(xovl_map(overlay_, 0x5000), -EIO);
}

TEST_F(Capi, FreeGivesPinsBack)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    ASSERT_EQ(xovl_register_vcpu_info(overlay_, 0, 0x5000), 0);
    xovl_free(overlay_);
    overlay_ = nullptr;
    EXPECT_EQ(glue_->space.pins(), 0U);
}

} // namespace
} // namespace xovl
