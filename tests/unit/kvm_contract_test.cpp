// SPDX-License-Identifier: GPL-2.0-or-later
// What FakeKvm claims about KVM, asked of FakeKvm and of the machine's KVM.
//
// The other tests are worth as much as the fake is true.  So every test here
// runs against the fake in each of its generations, and against the real KVM
// (skipped where that has no Xen), by the same ioctls and with the same
// expectations; a kernel of another generation shows by its own answers.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <sys/mman.h>

#include <linux/kvm.h>

#include "abi/layout.hpp"
#include "fakes/fake_kvm.hpp"
#include "real_kvm.hpp"

namespace xovl::unit
{
namespace
{

using abi::kPageSize;
using abi::VcpuId;
using fakes::FakeKvm;
using fakes::Generation;

struct Subject {
    const char *name;
    std::optional<Generation> fake; // nullopt: the real KVM
};

std::ostream &operator<<(std::ostream &out, const Subject &subject)
{
    return out << subject.name;
}

// Pages of their own, with a page that may not be touched on either side.
class HostPages
{
public:
    explicit HostPages(std::size_t count) : size_((count + 2) * kPageSize)
    {
        base_ = static_cast<std::byte *>(mmap(
            nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        EXPECT_NE(static_cast<void *>(base_), MAP_FAILED);
        protect(PROT_READ | PROT_WRITE);
    }
    HostPages(const HostPages &) = delete;
    HostPages &operator=(const HostPages &) = delete;
    ~HostPages() { munmap(base_, size_); }

    void protect(int protection)
    {
        EXPECT_EQ(
            mprotect(base_ + kPageSize, size_ - 2 * kPageSize, protection), 0);
    }
    [[nodiscard]] std::byte *page(std::size_t n) const
    {
        return base_ + (n + 1) * kPageSize;
    }
    [[nodiscard]] std::uint64_t address(std::size_t n) const
    {
        return reinterpret_cast<std::uintptr_t>(page(n));
    }

private:
    std::size_t size_;
    std::byte *base_;
};

// Guest memory: 4 pages from kRam on; kHole has none.
constexpr std::uint64_t kRam = 0x10000;
constexpr std::uint64_t kRamFrame = kRam / kPageSize;
constexpr std::uint64_t kHole = 0x40000;
constexpr std::uint64_t kHoleFrame = kHole / kPageSize;
// Above every user address, and canonical; the last is not.
constexpr std::uint64_t kNoUserAddresses[] = {
    0xffff800000000000, 0xfffffffffffff000, 0x8000000000000000};

class KvmContract : public testing::TestWithParam<Subject>
{
protected:
    void SetUp() override
    {
        if (GetParam().fake) {
            auto fake = std::make_unique<FakeKvm>(*GetParam().fake, faults_);
            fake->add_vcpu(VcpuId{0});
            capabilities_ = fake->capabilities();
            kvm_ = std::move(fake);
        } else {
            std::string why;
            auto real = RealKvm::create(why);
            if (!real) {
                GTEST_SKIP() << why;
            }
            capabilities_ = real->capabilities();
            kvm_ = std::move(real);
        }
        ASSERT_EQ(set_memslot(0, kRam, 4, ram_.address(0)), 0);
        kvm_xen_vcpu_attr attr = {};
        attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA;
        vcpu_info_hva_ =
            kvm_->vcpu_ioctl(VcpuId{0}, KVM_XEN_VCPU_GET_ATTR, &attr) == 0;
    }

    int set_memslot(std::uint32_t slot, std::uint64_t gpa, std::size_t pages,
                    std::uint64_t host, std::uint32_t flags = 0)
    {
        kvm_userspace_memory_region region = {};
        region.slot = slot;
        region.flags = flags;
        region.guest_phys_addr = gpa;
        region.memory_size = pages * kPageSize;
        region.userspace_addr = host;
        return kvm_->vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region);
    }

    // Whether the kernel has the types by host address.
    [[nodiscard]] bool shared_info_hva() const
    {
        return (capabilities_ & KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA) != 0;
    }
    [[nodiscard]] bool vcpu_info_hva() const { return vcpu_info_hva_; }
    // Whether KVM finds the default vcpu_info by itself.
    [[nodiscard]] bool has_slots() const
    {
        return shared_info_hva() && !vcpu_info_hva();
    }
    // Whether setting the mode writes the wallclock: came with the types by
    // host address.
    [[nodiscard]] bool mode_writes_wallclock() const
    {
        return shared_info_hva();
    }
    // Has the wallclock written, by the page that is set already.
    int write_wallclock(std::uint64_t gfn)
    {
        return mode_writes_wallclock() ? set_mode(0) : set_gfn(gfn);
    }

    int set_vm(std::uint16_t type, std::uint64_t value)
    {
        kvm_xen_hvm_attr attr = {};
        attr.type = type;
        std::memcpy(&attr.u, &value, sizeof(value));
        return kvm_->vm_ioctl(KVM_XEN_HVM_SET_ATTR, &attr);
    }
    std::uint64_t get_vm(std::uint16_t type)
    {
        kvm_xen_hvm_attr attr = {};
        attr.type = type;
        EXPECT_EQ(kvm_->vm_ioctl(KVM_XEN_HVM_GET_ATTR, &attr), 0);
        std::uint64_t value = 0;
        std::memcpy(&value, &attr.u, sizeof(value));
        return value;
    }
    int set_vcpu(std::uint16_t type, std::uint64_t value)
    {
        kvm_xen_vcpu_attr attr = {};
        attr.type = type;
        std::memcpy(&attr.u, &value, sizeof(value));
        return kvm_->vcpu_ioctl(VcpuId{0}, KVM_XEN_VCPU_SET_ATTR, &attr);
    }
    std::uint64_t get_vcpu(std::uint16_t type)
    {
        kvm_xen_vcpu_attr attr = {};
        attr.type = type;
        EXPECT_EQ(kvm_->vcpu_ioctl(VcpuId{0}, KVM_XEN_VCPU_GET_ATTR, &attr), 0);
        std::uint64_t value = 0;
        std::memcpy(&value, &attr.u, sizeof(value));
        return value;
    }

    int set_gfn(std::uint64_t gfn)
    {
        return set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO, gfn);
    }
    int set_page(std::uint64_t hva)
    {
        return set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA, hva);
    }
    int set_mode(std::uint64_t mode)
    {
        return set_vm(KVM_XEN_ATTR_TYPE_LONG_MODE, mode);
    }
    int set_gpa(std::uint64_t gpa)
    {
        return set_vcpu(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, gpa);
    }
    int set_area(std::uint64_t hva)
    {
        return set_vcpu(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA, hva);
    }

    void expect_shared_info(std::uint64_t gfn, std::uint64_t hva)
    {
        EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO), gfn);
        if (shared_info_hva()) {
            EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA), hva);
        }
    }
    void expect_vcpu_info(std::uint64_t gpa, std::uint64_t hva)
    {
        EXPECT_EQ(get_vcpu(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO), gpa);
        if (vcpu_info_hva()) {
            EXPECT_EQ(get_vcpu(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA), hva);
        }
    }

    static std::uint32_t read(const std::byte *where)
    {
        std::uint32_t value = 0;
        std::memcpy(&value, where, sizeof(value));
        return value;
    }
    // wc_version: how often the wallclock was written there, times two.
    static std::uint32_t version32(const std::byte *page)
    {
        return read(page + offsetof(abi::SharedInfo32, wc_version));
    }
    static std::uint32_t version64(const std::byte *page)
    {
        return read(page + offsetof(abi::SharedInfo64, wc_version));
    }

    fakes::Faults faults_;
    HostPages ram_{4};
    HostPages other_{2}; // known to no memslot
    std::unique_ptr<kvm::Ioctls> kvm_;
    std::uint32_t capabilities_ = 0;
    bool vcpu_info_hva_ = false;
};

INSTANTIATE_TEST_SUITE_P(
    All, KvmContract,
    testing::Values(Subject{"FakeGfn", Generation::Gfn},
                    Subject{"FakeHva", Generation::Hva},
                    Subject{"FakeNewest", Generation::Newest},
                    Subject{"FakeKernel", Generation::Kernel},
                    Subject{"Real", std::nullopt}),
    [](const auto &test) { return std::string(test.param.name); });

TEST_P(KvmContract, UnknownTypes)
{
    for (const auto request : {KVM_XEN_HVM_GET_ATTR, KVM_XEN_HVM_SET_ATTR}) {
        kvm_xen_hvm_attr attr = {};
        attr.type = 0x7fff;
        EXPECT_EQ(kvm_->vm_ioctl(request, &attr), -ENOENT);
    }
    for (const auto request : {KVM_XEN_VCPU_GET_ATTR, KVM_XEN_VCPU_SET_ATTR}) {
        kvm_xen_vcpu_attr attr = {};
        attr.type = 0x7fff;
        EXPECT_EQ(kvm_->vcpu_ioctl(VcpuId{0}, request, &attr), -ENOENT);
    }
}

// How a generation shows; and a type that is not known changes nothing.
TEST_P(KvmContract, TypesOfLaterKernels)
{
    if (!shared_info_hva()) {
        kvm_xen_hvm_attr attr = {};
        attr.type = KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA;
        EXPECT_EQ(kvm_->vm_ioctl(KVM_XEN_HVM_GET_ATTR, &attr), -ENOENT);
        ASSERT_EQ(set_gfn(kRamFrame), 0);
        EXPECT_EQ(set_page(other_.address(0)), -ENOENT);
        EXPECT_EQ(set_page(0), -ENOENT);
        EXPECT_EQ(set_page(1), -ENOENT);
        expect_shared_info(kRamFrame, 0);
        EXPECT_FALSE(vcpu_info_hva());
    }
    if (!vcpu_info_hva()) {
        kvm_xen_vcpu_attr attr = {};
        attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA;
        EXPECT_EQ(kvm_->vcpu_ioctl(VcpuId{0}, KVM_XEN_VCPU_GET_ATTR, &attr),
                  -ENOENT);
        ASSERT_EQ(set_gpa(kRam), 0);
        EXPECT_EQ(set_area(other_.address(0)), -ENOENT);
        EXPECT_EQ(set_area(0), -ENOENT);
        expect_vcpu_info(kRam, 0);
    }
}

TEST_P(KvmContract, NothingIsSetAtFirst)
{
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 0U);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
    // Off when off already.
    EXPECT_EQ(set_gfn(KVM_XEN_INVALID_GFN), 0);
    EXPECT_EQ(set_gpa(KVM_XEN_INVALID_GPA), 0);
    if (shared_info_hva()) {
        EXPECT_EQ(set_page(0), 0);
    }
    if (vcpu_info_hva()) {
        EXPECT_EQ(set_area(0), 0);
    }
}

TEST_P(KvmContract, LongMode)
{
    EXPECT_EQ(set_mode(1), 0);
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 1U);
    EXPECT_EQ(set_mode(0), 0);
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 0U);
    EXPECT_EQ(set_mode(2), 0);
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 1U);
}

TEST_P(KvmContract, SharedInfoByFrame)
{
    EXPECT_EQ(set_gfn(kRamFrame + 1), 0);
    expect_shared_info(kRamFrame + 1, 0);
    EXPECT_EQ(version32(ram_.page(1)), 2U);
    EXPECT_EQ(set_gfn(kRamFrame + 3), 0);
    expect_shared_info(kRamFrame + 3, 0);
    EXPECT_EQ(version32(ram_.page(3)), 2U);
    EXPECT_EQ(version32(ram_.page(1)), 2U);
    EXPECT_EQ(set_gfn(KVM_XEN_INVALID_GFN), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
}

TEST_P(KvmContract, SharedInfoWithoutMemory)
{
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    EXPECT_EQ(set_gfn(kHoleFrame), -EFAULT);
    // The failed one took the other's place all the same.
    expect_shared_info(kHoleFrame, 0);
    EXPECT_EQ(write_wallclock(kHoleFrame), -EFAULT);
    EXPECT_EQ(version32(ram_.page(0)), 2U);

    // And comes to life with memory there.
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(0)), 0);
    EXPECT_EQ(write_wallclock(kHoleFrame), 0);
    EXPECT_EQ(version32(other_.page(0)), 2U);
    expect_shared_info(kHoleFrame, 0);
}

TEST_P(KvmContract, SharedInfoOffAfterAFailure)
{
    ASSERT_EQ(set_gfn(kHoleFrame), -EFAULT);
    EXPECT_EQ(set_gfn(KVM_XEN_INVALID_GFN), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
    EXPECT_EQ(set_mode(0), 0);
}

TEST_P(KvmContract, SharedInfoInReadOnlyMemory)
{
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(0), KVM_MEM_READONLY), 0);
    EXPECT_EQ(set_gfn(kHoleFrame), -EFAULT);
    expect_shared_info(kHoleFrame, 0);
}

// A memslot whose host memory is not there.
TEST_P(KvmContract, SharedInfoWithoutHostMemory)
{
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(0)), 0);
    for (const int protection : {PROT_NONE, PROT_READ}) {
        other_.protect(protection);
        EXPECT_EQ(set_gfn(kHoleFrame), -EFAULT) << protection;
        expect_shared_info(kHoleFrame, 0);
    }
}

// The shift drops the upper bits: another page than the one named.
TEST_P(KvmContract, SharedInfoBeyondTheLastFrame)
{
    EXPECT_EQ(set_gfn((std::uint64_t{1} << 52) + kRamFrame), 0);
    expect_shared_info(kRamFrame, 0);
    EXPECT_EQ(version32(ram_.page(0)), 2U);
}

TEST_P(KvmContract, SharedInfoFollowsTheMemslot)
{
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(0)), 0);
    ASSERT_EQ(set_gfn(kHoleFrame), 0);
    EXPECT_EQ(version32(other_.page(0)), 2U);
    ASSERT_EQ(set_memslot(1, kHole, 0, 0), 0);
    EXPECT_EQ(write_wallclock(kHoleFrame), -EFAULT);
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(1)), 0);
    EXPECT_EQ(write_wallclock(kHoleFrame), 0);
    EXPECT_EQ(version32(other_.page(0)), 2U);
    EXPECT_EQ(version32(other_.page(1)), 2U);
}

TEST_P(KvmContract, SharedInfoByHostAddress)
{
    if (!shared_info_hva()) {
        return; // TypesOfLaterKernels
    }
    // In no memslot, and in one.
    EXPECT_EQ(set_page(other_.address(1)), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, other_.address(1));
    EXPECT_EQ(version32(other_.page(1)), 2U);
    EXPECT_EQ(set_page(ram_.address(0)), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, ram_.address(0));
    EXPECT_EQ(set_page(0), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
}

TEST_P(KvmContract, SharedInfoHostAddressThatCannotBe)
{
    if (!shared_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_page(other_.address(0)), 0);
    for (const std::uint64_t offset : {1U, 64U, 4095U}) {
        EXPECT_EQ(set_page(other_.address(1) + offset), -EINVAL) << offset;
    }
    EXPECT_EQ(set_page(~std::uint64_t{0}), -EINVAL);
    for (const std::uint64_t address : kNoUserAddresses) {
        EXPECT_EQ(set_page(address), -EINVAL) << std::hex << address;
    }
    // Nothing changed: it is still written to.
    expect_shared_info(KVM_XEN_INVALID_GFN, other_.address(0));
    EXPECT_EQ(set_mode(0), 0);
    EXPECT_EQ(version32(other_.page(0)), 4U);
}

TEST_P(KvmContract, SharedInfoHostAddressWithoutMemory)
{
    if (!shared_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_page(ram_.address(0)), 0);
    for (const int protection : {PROT_NONE, PROT_READ}) {
        other_.protect(protection);
        EXPECT_EQ(set_page(other_.address(0)), -EFAULT) << protection;
        expect_shared_info(KVM_XEN_INVALID_GFN, other_.address(0));
    }
    // The mode is taken although the wallclock cannot be written.
    EXPECT_EQ(set_mode(1), -EFAULT);
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 1U);
    EXPECT_EQ(set_mode(0), -EFAULT);
    EXPECT_EQ(get_vm(KVM_XEN_ATTR_TYPE_LONG_MODE), 0U);
    EXPECT_EQ(version32(ram_.page(0)), 2U);
    // It, too, comes to life.
    other_.protect(PROT_READ | PROT_WRITE);
    EXPECT_EQ(set_mode(0), 0);
    EXPECT_EQ(version32(other_.page(0)), 2U);
}

TEST_P(KvmContract, SharedInfoLastOneWins)
{
    if (!shared_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    ASSERT_EQ(set_page(other_.address(0)), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, other_.address(0));
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    expect_shared_info(kRamFrame, 0);
    // Either "off" is off.
    ASSERT_EQ(set_page(0), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
    ASSERT_EQ(set_page(other_.address(0)), 0);
    ASSERT_EQ(set_gfn(KVM_XEN_INVALID_GFN), 0);
    expect_shared_info(KVM_XEN_INVALID_GFN, 0);
}

TEST_P(KvmContract, WallclockIsWrittenWhereTheModeSays)
{
    ASSERT_EQ(set_mode(1), 0);
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    EXPECT_EQ(version64(ram_.page(0)), 2U);
    EXPECT_EQ(version32(ram_.page(0)), 0U);
    ASSERT_EQ(set_mode(0), 0);
    if (!mode_writes_wallclock()) {
        EXPECT_EQ(version32(ram_.page(0)), 0U);
        ASSERT_EQ(set_gfn(kRamFrame), 0);
    }
    EXPECT_EQ(version64(ram_.page(0)), 2U);
    EXPECT_EQ(version32(ram_.page(0)), 2U);
}

// By the same mode and by the same place: how it is refreshed.
TEST_P(KvmContract, WallclockIsWrittenAtEverySet)
{
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    EXPECT_EQ(version32(ram_.page(0)), 2U);
    ASSERT_EQ(set_gfn(kRamFrame), 0);
    EXPECT_EQ(version32(ram_.page(0)), 4U);
    ASSERT_EQ(write_wallclock(kRamFrame), 0);
    EXPECT_EQ(version32(ram_.page(0)), 6U);
    if (shared_info_hva()) {
        ASSERT_EQ(set_page(ram_.address(0)), 0);
        EXPECT_EQ(version32(ram_.page(0)), 8U);
        ASSERT_EQ(set_page(ram_.address(0)), 0);
        EXPECT_EQ(version32(ram_.page(0)), 10U);
    }
    // An odd version, as left by a writer that never finished, ends even.
    std::byte *where = ram_.page(0) + offsetof(abi::SharedInfo32, wc_version);
    const std::uint32_t odd = 101;
    std::memcpy(where, &odd, sizeof(odd));
    ASSERT_EQ(write_wallclock(kRamFrame), 0);
    EXPECT_EQ(version32(ram_.page(0)), 104U);
}

TEST_P(KvmContract, VcpuInfoByGuestAddress)
{
    // Up to the end of a page.
    for (const std::uint64_t gpa :
         {kRam, kRam + 64, kRam + 4, kRam + kPageSize - 64}) {
        EXPECT_EQ(set_gpa(gpa), 0) << std::hex << gpa;
        expect_vcpu_info(gpa, 0);
    }
    // Of any alignment, or of 32 bits: newer kernels want that of both types.
    const int misaligned = set_gpa(kRam + 3);
    if (misaligned != 0) {
        EXPECT_EQ(misaligned, -ENXIO);
        expect_vcpu_info(kRam + kPageSize - 64, 0);
    } else {
        expect_vcpu_info(kRam + 3, 0);
    }
    if (vcpu_info_hva()) {
        EXPECT_EQ(set_area(other_.address(0) + 3), misaligned);
    }
    EXPECT_EQ(set_gpa(KVM_XEN_INVALID_GPA), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
}

TEST_P(KvmContract, VcpuInfoAcrossPages)
{
    ASSERT_EQ(set_gpa(kRam + 64), 0);
    EXPECT_EQ(set_gpa(kRam + kPageSize - 60), -EINVAL);
    EXPECT_EQ(set_gpa(kRam + kPageSize - 4), -EINVAL);
    EXPECT_EQ(set_gpa(KVM_XEN_INVALID_GPA - 3), -EINVAL);
    expect_vcpu_info(kRam + 64, 0);
}

TEST_P(KvmContract, VcpuInfoWithoutMemory)
{
    ASSERT_EQ(set_gpa(kRam), 0);
    EXPECT_EQ(set_gpa(kHole + 64), -EFAULT);
    expect_vcpu_info(kHole + 64, 0);
    ASSERT_EQ(set_memslot(1, kHole, 1, other_.address(0), KVM_MEM_READONLY), 0);
    EXPECT_EQ(set_gpa(kHole + 128), -EFAULT);
    expect_vcpu_info(kHole + 128, 0);
    EXPECT_EQ(set_gpa(KVM_XEN_INVALID_GPA), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
}

// Where nothing was set before, there may be the slot to go on with.
TEST_P(KvmContract, VcpuInfoWithoutMemoryAtFirst)
{
    EXPECT_EQ(set_gpa(kHole + 64), -EFAULT);
    expect_vcpu_info(has_slots() ? KVM_XEN_INVALID_GPA : kHole + 64, 0);
    ASSERT_EQ(set_gpa(KVM_XEN_INVALID_GPA), 0);
    EXPECT_EQ(set_gpa(kRam + kPageSize - 60), -EINVAL);
    // On 6.1 the last one comes back, so that must not be tried.
    expect_vcpu_info(shared_info_hva() ? KVM_XEN_INVALID_GPA : kHole + 64, 0);
}

TEST_P(KvmContract, VcpuInfoByHostAddress)
{
    if (!vcpu_info_hva()) {
        return; // TypesOfLaterKernels
    }
    for (const std::uint64_t offset : {0U, 64U, 4U, 4096U - 64U}) {
        EXPECT_EQ(set_area(other_.address(0) + offset), 0) << offset;
        expect_vcpu_info(KVM_XEN_INVALID_GPA, other_.address(0) + offset);
    }
    EXPECT_EQ(set_area(0), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
}

TEST_P(KvmContract, VcpuInfoHostAddressThatCannotBe)
{
    if (!vcpu_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_area(other_.address(0)), 0);
    EXPECT_EQ(set_area(other_.address(0) + kPageSize - 60), -EINVAL);
    EXPECT_EQ(set_area(~std::uint64_t{3}), -EINVAL);
    for (const std::uint64_t address : kNoUserAddresses) {
        EXPECT_EQ(set_area(address), -EINVAL) << std::hex << address;
    }
    expect_vcpu_info(KVM_XEN_INVALID_GPA, other_.address(0));
}

TEST_P(KvmContract, VcpuInfoHostAddressWithoutMemory)
{
    if (!vcpu_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_gpa(kRam), 0);
    for (const int protection : {PROT_NONE, PROT_READ}) {
        other_.protect(protection);
        EXPECT_EQ(set_area(other_.address(0) + 64), -EFAULT) << protection;
        expect_vcpu_info(KVM_XEN_INVALID_GPA, other_.address(0) + 64);
    }
}

TEST_P(KvmContract, VcpuInfoLastOneWins)
{
    if (!vcpu_info_hva()) {
        return; // TypesOfLaterKernels
    }
    ASSERT_EQ(set_gpa(kRam), 0);
    ASSERT_EQ(set_area(other_.address(0)), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, other_.address(0));
    ASSERT_EQ(set_gpa(kRam), 0);
    expect_vcpu_info(kRam, 0);
    // Either "off" is off: the core relies on the guest address's.
    ASSERT_EQ(set_area(other_.address(0)), 0);
    ASSERT_EQ(set_gpa(KVM_XEN_INVALID_GPA), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
    ASSERT_EQ(set_gpa(kRam), 0);
    ASSERT_EQ(set_area(0), 0);
    expect_vcpu_info(KVM_XEN_INVALID_GPA, 0);
}

} // namespace
} // namespace xovl::unit
