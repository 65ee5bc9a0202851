// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface as QEMU's glue uses it: through xovl.h, with ops that are C
// functions.  What the overlay does is tested elsewhere; here is whether it
// comes through, in both directions.
#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

#include <linux/kvm.h>

#include "abi/hypercall.hpp"
#include "fakes/fake_address_space.hpp"
#include "fakes/fake_guest_memory.hpp"
#include "fakes/fake_kvm.hpp"
#include "fakes/fake_upcalls.hpp"
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
        // What the glue's window is made of.
        kvm_userspace_memory_region region = {};
        region.guest_phys_addr = fakes::FakeAddressSpace::kWindow.value;
        region.memory_size = sizeof(page);
        region.userspace_addr = reinterpret_cast<std::uintptr_t>(page);
        EXPECT_EQ(kvm.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);
        // A guest's RAM.
        region.slot = 1;
        region.guest_phys_addr = 0;
        region.memory_size = 0x10000;
        region.userspace_addr =
            reinterpret_cast<std::uintptr_t>(space.host(abi::Gpa{0}));
        EXPECT_EQ(kvm.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);
    }

    alignas(4096) std::byte page[4096] = {};
    fakes::Faults faults;
    fakes::FakeKvm kvm;
    fakes::FakeAddressSpace space{faults, 0x10000};
    fakes::FakeGuestMemory memory{0x40000, 0x1000};
    fakes::FakeUpcalls upcalls;
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

static int glue_place(void *opaque, XovlPage page, uint64_t gpa)
{
    return errno_of(glue(opaque).space.place(
        core::Page{page},
        gpa == XOVL_NO_GPA ? std::nullopt : std::optional(abi::Gpa{gpa})));
}

static int glue_open_window(void *opaque, uint64_t *gpa)
{
    const auto window = glue(opaque).space.open_window();
    if (!window) {
        return window.error().value();
    }
    *gpa = window->value;
    return 0;
}

static int glue_grant_frame(void *opaque, uint64_t index, XovlPage *page)
{
    const auto frame = glue(opaque).space.grant_frame(index);
    if (!frame) {
        return frame.error().value();
    }
    *page = frame->token;
    return 0;
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

static int glue_copy_in(void *opaque, void *caller, uint64_t gva, void *to,
                        size_t size)
{
    EXPECT_EQ(caller, opaque);
    return errno_of(glue(opaque).memory.copy_in(gva, to, size));
}

static int glue_copy_out(void *opaque, void *caller, uint64_t gva,
                         const void *from, size_t size)
{
    EXPECT_EQ(caller, opaque);
    return errno_of(glue(opaque).memory.copy_out(gva, from, size));
}

static void glue_inject_upcall(void *opaque, uint32_t vcpu)
{
    glue(opaque).upcalls.inject(abi::VcpuId{vcpu});
}

} // extern "C"

constexpr XovlOps kOps = {glue_vm_ioctl,     glue_vcpu_ioctl,  glue_place,
                          glue_open_window,  glue_grant_frame, glue_pin,
                          glue_unpin,        glue_copy_in,     glue_copy_out,
                          glue_inject_upcall};

constexpr XovlFrameRange kTaken[] = {{0xfeffa, 0xfeffb}};

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
        const XovlConfig config = {
            .page = glue_->page,
            .kvm_capabilities = glue_->kvm.capabilities(),
            .xen_version = 0x40011,
            .address_bits = 40,
            .taken = kTaken,
            .taken_count = 1,
            .shared_info = shared_info,
            .default_vcpu_info = vcpu_info,
        };
        overlay_ = xovl_new(&config, &kOps, &*glue_);
        return xovl_start(overlay_);
    }

    int map(std::uint64_t gpa) { return xovl_place(overlay_, nullptr, gpa); }
    // A vCPU for itself.
    int enroll(std::uint32_t vcpu, std::uint64_t gpa)
    {
        return xovl_register_vcpu_info(overlay_, vcpu, vcpu, gpa >> 12,
                                       static_cast<uint32_t>(gpa & 0xfff));
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
        ASSERT_EQ(map(0x5000), 0);
        EXPECT_EQ(xovl_gpa(overlay_), 0x5000U);
        EXPECT_EQ(glue_->space.page(), abi::Gpa{0x5000});
        EXPECT_EQ(map(0x5001), -EINVAL);
        ASSERT_EQ(map(XOVL_NO_GPA), 0);
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
    ASSERT_EQ(map(0x6000), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).gpa, 0x6140U);

    ASSERT_EQ(enroll(5, 0x5040), 0);
    place = xovl_vcpu_info(overlay_, 5);
    EXPECT_EQ(place.source, XOVL_VCPU_INFO_REGISTERED);
    EXPECT_EQ(place.gpa, 0x5040U);
    EXPECT_EQ(place.host, glue_->space.host(abi::Gpa{0x5040}));
    EXPECT_EQ(glue_->space.pins(), 1U);
    EXPECT_EQ(glue_->upcalls.called(), std::vector{abi::VcpuId{5}});
    EXPECT_EQ(enroll(5, 0x5fff), -ENXIO);
    EXPECT_EQ(enroll(5, 0x5080), -EINVAL); // once only

    ASSERT_EQ(xovl_restore_vcpu(overlay_, 5, 0x6080), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).gpa, 0x6080U);
    ASSERT_EQ(xovl_reset(overlay_), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).source, XOVL_VCPU_INFO_DEFAULT_SLOT);
    EXPECT_EQ(xovl_gpa(overlay_), XOVL_NO_GPA);
    ASSERT_EQ(enroll(5, 0x5040), 0);
    ASSERT_EQ(xovl_reset_vcpu(overlay_, 5), 0);
    EXPECT_EQ(xovl_vcpu_info(overlay_, 5).source, XOVL_VCPU_INFO_DEFAULT_SLOT);
    EXPECT_EQ(glue_->space.pins(), 0U);

    ASSERT_EQ(xovl_detach_vcpu(overlay_, 5), 0);
    EXPECT_EQ(xovl_detach_vcpu(overlay_, 5), -ENOENT);
    EXPECT_EQ(xovl_reset_vcpu(overlay_, 5), -ENOENT);
    EXPECT_EQ(enroll(5, 0x5040), -ENOENT);
    EXPECT_EQ(xovl_restore_vcpu(overlay_, 5, 0x5040), -ENOENT);
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
    EXPECT_EQ(xovl_recall_events(overlay_), 0);
}

TEST_F(Capi, MemoryOp)
{
    constexpr std::uint64_t kArgument = 0x40100;
    ASSERT_EQ(start(Generation::Hva), 0);
    glue_->memory.write(kArgument, abi::xen_add_to_physmap<std::uint64_t>{
                                       abi::DOMID_SELF, 0,
                                       abi::XENMAPSPACE_grant_table, 1, 0x5});
    const auto call = [&](std::uint64_t command) -> std::optional<int> {
        int answer = 1;
        if (!xovl_memory_op(overlay_, &*glue_, 7, true, command, kArgument,
                            &answer)) {
            return std::nullopt;
        }
        return answer;
    };
    EXPECT_TRUE(xovl_is_memory_op(abi::XENMEM_add_to_physmap));
    EXPECT_FALSE(xovl_is_memory_op(63));
    EXPECT_EQ(call(63), std::nullopt);
    EXPECT_EQ(call(abi::XENMEM_add_to_physmap), 0);
    EXPECT_EQ(glue_->space.page(fakes::FakeAddressSpace::grant_page(1)),
              abi::Gpa{0x5000});
    glue_->memory.write(kArgument,
                        abi::xen_add_to_physmap<std::uint64_t>{
                            7, 0, abi::XENMAPSPACE_grant_table, 4, 0x5});
    EXPECT_EQ(call(abi::XENMEM_add_to_physmap), -EINVAL);
    glue_->memory.write(kArgument,
                        abi::xen_add_to_physmap<std::uint64_t>{
                            7, 0, abi::XENMAPSPACE_shared_info, 0, 0xfeffa});
    EXPECT_EQ(call(abi::XENMEM_add_to_physmap), -EPERM);
    EXPECT_EQ(call(1), std::nullopt);

    // The array of errors is written through copy_out.
    glue_->memory.write(kArgument, abi::xen_add_to_physmap_batch<std::uint64_t>{
                                       7, abi::XENMAPSPACE_shared_info, 1, 0,
                                       0x40200, 0x40210, 0x40220});
    glue_->memory.write(0x40200, std::uint64_t{1});
    EXPECT_EQ(call(abi::XENMEM_add_to_physmap_batch), 0);
    EXPECT_EQ(glue_->memory.read<std::int32_t>(0x40220), -EINVAL);
}

TEST_F(Capi, Stats)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    ASSERT_EQ(map(0x5000), 0);
    ASSERT_EQ(map(XOVL_NO_GPA), 0);
    ASSERT_EQ(enroll(0, 0x6000), 0);
    EXPECT_EQ(enroll(0, 0x6000), -EINVAL);
    const XovlStats stats = xovl_stats(overlay_);
    EXPECT_EQ(stats.maps, 1U);
    EXPECT_EQ(stats.unmaps, 1U);
    EXPECT_EQ(stats.shared_info_sets, 1U);
    // Its slot, its own.
    EXPECT_EQ(stats.vcpu_info_sets, 2U);
    EXPECT_EQ(stats.registrations, 1U);
    EXPECT_EQ(stats.rejected, 1U);
    EXPECT_EQ(stats.kvm_errors, 0U);
}

struct Found {
    std::vector<XovlDifference> differences;
    static void add(void *opaque, const XovlDifference *difference)
    {
        static_cast<Found *>(opaque)->differences.push_back(*difference);
    }
};

// Each attribute, and both kinds of backend.
TEST_F(Capi, Verify)
{
    for (const auto generation : {Generation::Gfn, Generation::Hva}) {
        const bool hva = generation == Generation::Hva;
        ASSERT_EQ(start(generation), 0);
        ASSERT_EQ(xovl_attach_vcpu(overlay_, 5), 0);
        Found nothing;
        xovl_verify(overlay_, Found::add, &nothing);
        EXPECT_TRUE(nothing.differences.empty());

        kvm_xen_hvm_attr mode = {};
        mode.type = KVM_XEN_ATTR_TYPE_LONG_MODE;
        ASSERT_EQ(glue_->kvm.vm_ioctl(KVM_XEN_HVM_SET_ATTR, &mode), 0);
        kvm_xen_hvm_attr page = {};
        page.type = KVM_XEN_ATTR_TYPE_SHARED_INFO;
        page.u.shared_info.gfn = KVM_XEN_INVALID_GFN;
        ASSERT_EQ(glue_->kvm.vm_ioctl(KVM_XEN_HVM_SET_ATTR, &page), 0);
        kvm_xen_vcpu_attr vcpu = {};
        vcpu.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO;
        vcpu.u.gpa = KVM_XEN_INVALID_GPA;
        ASSERT_EQ(
            glue_->kvm.vcpu_ioctl(abi::VcpuId{5}, KVM_XEN_VCPU_SET_ATTR, &vcpu),
            0);
        Found found;
        xovl_verify(overlay_, Found::add, &found);
        ASSERT_EQ(found.differences.size(), 3U);
        EXPECT_EQ(found.differences[0].attribute, XOVL_ATTRIBUTE_LONG_MODE);
        EXPECT_EQ(found.differences[0].expected, 1U);
        EXPECT_EQ(found.differences[0].actual, 0U);
        EXPECT_FALSE(found.differences[0].has_vcpu);
        EXPECT_EQ(found.differences[1].attribute,
                  hva ? XOVL_ATTRIBUTE_SHARED_INFO_HVA
                      : XOVL_ATTRIBUTE_SHARED_INFO_GFN);
        EXPECT_EQ(found.differences[1].has_expected, !hva);
        EXPECT_EQ(found.differences[2].attribute,
                  hva ? XOVL_ATTRIBUTE_VCPU_INFO_HVA
                      : XOVL_ATTRIBUTE_VCPU_INFO_GPA);
        EXPECT_TRUE(found.differences[2].has_vcpu);
        EXPECT_EQ(found.differences[2].vcpu, 5U);
        EXPECT_FALSE(found.differences[2].has_actual);
    }
}

TEST_F(Capi, Snapshots)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    glue_->page[0] = std::byte{1};     // upcall pending
    glue_->page[8] = std::byte{4};     // selector
    glue_->page[0x800] = std::byte{2}; // port 1 pending
    glue_->page[0xa00] = std::byte{8}; // port 3 masked
    const XovlSharedInfoSnapshot page = xovl_read_shared_info(overlay_);
    EXPECT_TRUE(page.long_mode);
    EXPECT_EQ(page.ports, 4096U);
    EXPECT_EQ(page.pending[0], 2U);
    EXPECT_EQ(page.masked[0], 8U);
    XovlVcpuInfoSnapshot area = {};
    ASSERT_EQ(xovl_read_vcpu_info(overlay_, 0, &area), 0);
    EXPECT_TRUE(area.upcall_pending);
    EXPECT_EQ(area.pending_sel, 4U);
    EXPECT_EQ(xovl_read_vcpu_info(overlay_, 1, &area), -ENOENT);
}

TEST_F(Capi, ErrorsComeThrough)
{
    ASSERT_EQ(start(Generation::Gfn), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    // The first call fails, and taking it back works.
    for (const int error : {-EFAULT, -EINTR, -ENOMEM}) {
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(map(0x5000), error);
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(enroll(0, 0x5000), error);
        glue_->faults.fail_nth(1, error);
        EXPECT_EQ(xovl_sync_long_mode(overlay_), error);
    }
    EXPECT_FALSE(xovl_is_broken(overlay_));
    EXPECT_EQ(glue_->space.pins(), 0U);
    // So that the kernel can be asked for it at all.
    glue_->faults.fail_nth(1, -ENOMEM);
    EXPECT_EQ(start(Generation::Gfn), 0);
}

TEST_F(Capi, NoWindow)
{
    ASSERT_EQ(start(Generation::Hva, XOVL_SHARED_INFO_AUTO,
                    XOVL_DEFAULT_VCPU_INFO_GPA),
              0);
    glue_->faults.fail_nth(2, -ENOMEM); // after the vCPU was asked
    EXPECT_EQ(xovl_attach_vcpu(overlay_, 0), -ENOMEM);
    EXPECT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
}

TEST_F(Capi, Broken)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    glue_->faults.fail_from_nth(1, -EINTR);
    EXPECT_EQ(map(0x5000), -EINTR);
    EXPECT_TRUE(xovl_is_broken(overlay_));
    glue_->faults.clear();
    EXPECT_EQ(map(0x5000), -EIO);
}

TEST_F(Capi, FreeGivesPinsBack)
{
    ASSERT_EQ(start(Generation::Hva), 0);
    ASSERT_EQ(xovl_attach_vcpu(overlay_, 0), 0);
    ASSERT_EQ(enroll(0, 0x5000), 0);
    xovl_free(overlay_);
    overlay_ = nullptr;
    EXPECT_EQ(glue_->space.pins(), 0U);
}

} // namespace
} // namespace xovl
