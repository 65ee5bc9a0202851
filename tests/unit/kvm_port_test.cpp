// SPDX-License-Identifier: GPL-2.0-or-later
// What reaches KVM, and what comes back.
#include "kvm/kvm_port.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include <linux/kvm.h>

#include "abi/layout.hpp"
#include "fakes/fake_kvm.hpp"

namespace xovl::kvm
{
namespace
{

using abi::Gfn;
using abi::Gpa;
using abi::VcpuId;
using fakes::AttrCall;
using fakes::Generation;
using Calls = std::vector<AttrCall>;

AttrCall set_vm(std::uint16_t type, std::uint64_t value)
{
    return {KVM_XEN_HVM_SET_ATTR, std::nullopt, type, value, true};
}

AttrCall set_vcpu(std::uint32_t vcpu, std::uint16_t type, std::uint64_t value)
{
    return {KVM_XEN_VCPU_SET_ATTR, VcpuId{vcpu}, type, value, true};
}

class KvmPortTest : public testing::Test
{
protected:
    // A fake of `generation` with vCPU 3 and one page of RAM at 0x5000.
    explicit KvmPortTest(Generation generation = Generation::Hva)
        : kvm_(generation, faults_), port_(kvm_, kvm_.capabilities())
    {
        kvm_.add_vcpu(VcpuId{3});
        kvm_userspace_memory_region region = {};
        region.guest_phys_addr = 0x5000;
        region.memory_size = sizeof(page_);
        region.userspace_addr = address(page_);
        EXPECT_EQ(kvm_.vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region), 0);
    }

    static std::uint64_t address(const void *pointer)
    {
        return reinterpret_cast<std::uintptr_t>(pointer);
    }

    // In the 64-bit layout.
    [[nodiscard]] std::uint32_t wallclock_version() const
    {
        std::uint32_t version = 0;
        std::memcpy(&version, page_ + offsetof(abi::SharedInfo64, wc_version),
                    sizeof(version));
        return version;
    }

    alignas(abi::kPageSize) std::byte page_[abi::kPageSize] = {};
    fakes::Faults faults_;
    fakes::FakeKvm kvm_;
    KvmPort port_;
};

class OldKvmPortTest : public KvmPortTest
{
protected:
    OldKvmPortTest() : KvmPortTest(Generation::Gfn) {}
};

class ThirdKvmPortTest : public KvmPortTest
{
protected:
    ThirdKvmPortTest() : KvmPortTest(Generation::Kernel) {}
};

TEST_F(KvmPortTest, SharedInfoByFrame)
{
    ASSERT_TRUE(port_.set_shared_info_gfn(Gfn{5}));
    ASSERT_TRUE(port_.set_shared_info_gfn(std::nullopt));
    EXPECT_EQ(kvm_.calls(),
              (Calls{set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO, 5),
                     set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO, ~0ULL)}));
}

TEST_F(KvmPortTest, SharedInfoByHostAddress)
{
    ASSERT_TRUE(port_.set_shared_info_hva(page_));
    ASSERT_TRUE(port_.set_shared_info_hva(nullptr));
    EXPECT_EQ(kvm_.calls(),
              (Calls{set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA, address(page_)),
                     set_vm(KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA, 0)}));
}

TEST_F(KvmPortTest, VcpuInfoByGuestAddress)
{
    ASSERT_TRUE(port_.set_vcpu_info_gpa(VcpuId{3}, Gpa{0x5fc0}));
    ASSERT_TRUE(port_.set_vcpu_info_gpa(VcpuId{3}, std::nullopt));
    EXPECT_EQ(kvm_.calls(),
              (Calls{set_vcpu(3, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, 0x5fc0),
                     set_vcpu(3, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, ~0ULL)}));
}

TEST_F(KvmPortTest, VcpuInfoByHostAddress)
{
    ASSERT_TRUE(port_.set_vcpu_info_hva(VcpuId{3}, page_ + 64));
    ASSERT_TRUE(port_.set_vcpu_info_hva(VcpuId{3}, nullptr));
    EXPECT_EQ(kvm_.calls(),
              (Calls{set_vcpu(3, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA,
                              address(page_ + 64)),
                     set_vcpu(3, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA, 0)}));
}

TEST_F(KvmPortTest, LongMode)
{
    ASSERT_TRUE(port_.set_long_mode(true));
    EXPECT_TRUE(*port_.long_mode());
    ASSERT_TRUE(port_.set_long_mode(false));
    EXPECT_FALSE(*port_.long_mode());
    EXPECT_EQ(kvm_.calls(), (Calls{set_vm(KVM_XEN_ATTR_TYPE_LONG_MODE, 1),
                                   {KVM_XEN_HVM_GET_ATTR, std::nullopt,
                                    KVM_XEN_ATTR_TYPE_LONG_MODE, 0, true},
                                   set_vm(KVM_XEN_ATTR_TYPE_LONG_MODE, 0),
                                   {KVM_XEN_HVM_GET_ATTR, std::nullopt,
                                    KVM_XEN_ATTR_TYPE_LONG_MODE, 0, true}}));
}

// By which the wallclock is refreshed, on every KVM.
TEST_F(KvmPortTest, TheModeWritesTheWallclock)
{
    ASSERT_TRUE(port_.set_shared_info_hva(page_));
    kvm_.forget_calls();
    ASSERT_TRUE(port_.set_long_mode(true));
    EXPECT_EQ(kvm_.calls(), (Calls{set_vm(KVM_XEN_ATTR_TYPE_LONG_MODE, 1)}));
    EXPECT_EQ(wallclock_version(), 2U);
}

TEST_F(OldKvmPortTest, TheModeWritesTheWallclock)
{
    ASSERT_TRUE(port_.set_long_mode(true)); // with no page to write to
    ASSERT_TRUE(port_.set_shared_info_gfn(Gfn{5}));
    EXPECT_EQ(wallclock_version(), 2U);
    ASSERT_TRUE(port_.set_long_mode(true));
    EXPECT_EQ(wallclock_version(), 4U);
    ASSERT_TRUE(port_.set_shared_info_gfn(std::nullopt));
    ASSERT_TRUE(port_.set_long_mode(true));
    EXPECT_FALSE(*port_.shared_info_gfn());
}

TEST_F(KvmPortTest, ErrorsArePassedOn)
{
    const auto answers = [this]() -> std::vector<int> {
        const auto value = [](const core::Status &status) {
            return status ? 0 : status.error().value();
        };
        const auto long_mode = port_.long_mode();
        const auto has = port_.has_vcpu_info_hva(VcpuId{3});
        return {value(port_.set_shared_info_gfn(Gfn{5})),
                value(port_.set_shared_info_hva(page_)),
                value(port_.set_vcpu_info_gpa(VcpuId{3}, Gpa{0x5000})),
                value(port_.set_vcpu_info_hva(VcpuId{3}, page_)),
                value(port_.set_long_mode(true)),
                long_mode ? 0 : long_mode.error().value(),
                has ? 0 : has.error().value()};
    };
    for (const int error : {-EFAULT, -EINVAL, -EINTR}) {
        faults_.fail_from_nth(1, error);
        EXPECT_EQ(answers(), std::vector<int>(7, error));
    }
    faults_.clear();
    EXPECT_EQ(answers(), std::vector<int>(7, 0));
}

TEST_F(KvmPortTest, KvmsOwnErrors)
{
    EXPECT_EQ(port_.set_shared_info_gfn(Gfn{6}).error().value(), -EFAULT);
    EXPECT_EQ(port_.set_shared_info_hva(page_ + 1).error().value(), -EINVAL);
    EXPECT_EQ(port_.set_vcpu_info_gpa(VcpuId{3}, Gpa{0x5fc1}).error().value(),
              -EINVAL);
    // The glue's answer where there is no such vCPU.
    EXPECT_EQ(port_.set_vcpu_info_gpa(VcpuId{4}, Gpa{0x5000}).error().value(),
              -ENOENT);
}

TEST_F(KvmPortTest, Generation)
{
    EXPECT_TRUE(port_.has_shared_info_hva());
    EXPECT_TRUE(kvm_.calls().empty());
    EXPECT_TRUE(*port_.has_vcpu_info_hva(VcpuId{3}));
    EXPECT_EQ(kvm_.calls(),
              (Calls{{KVM_XEN_VCPU_GET_ATTR, VcpuId{3},
                      KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA, 0, true}}));
}

TEST_F(OldKvmPortTest, Generation)
{
    EXPECT_FALSE(port_.has_shared_info_hva());
    EXPECT_FALSE(*port_.has_vcpu_info_hva(VcpuId{3}));
    EXPECT_EQ(port_.set_shared_info_hva(page_).error().value(), -ENOENT);
}

TEST_F(ThirdKvmPortTest, Generation)
{
    EXPECT_TRUE(port_.has_shared_info_hva());
    EXPECT_FALSE(*port_.has_vcpu_info_hva(VcpuId{3}));
    ASSERT_TRUE(port_.set_shared_info_hva(page_));
}

TEST_F(KvmPortTest, QuestionFails)
{
    faults_.fail_nth(1, -EINTR);
    const auto has = port_.has_vcpu_info_hva(VcpuId{3});
    ASSERT_FALSE(has);
    EXPECT_EQ(has.error().value(), -EINTR);
}

// A user has to find out from these which kernel to get.
TEST_F(KvmPortTest, Requirements)
{
    using core::DefaultVcpuInfoBackend;
    using core::SharedInfoBackend;
    const auto has = [](const std::string &text, const char *part) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    const std::string shared_hva = port_.requirement(SharedInfoBackend::Hva);
    has(shared_hva, "KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA");
    has(shared_hva, "6.9");
    const std::string shared_gfn = port_.requirement(SharedInfoBackend::Gfn);
    has(shared_gfn, "KVM_XEN_HVM_CONFIG_SHARED_INFO");
    has(shared_gfn, "5.12");
    const std::string hva = port_.requirement(DefaultVcpuInfoBackend::Hva);
    has(hva, "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA");
    has(hva, "6.9");
    const std::string gpa = port_.requirement(DefaultVcpuInfoBackend::Gpa);
    has(gpa, "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO");
    has(gpa, "5.12");
    const std::string kernel =
        port_.requirement(DefaultVcpuInfoBackend::Kernel);
    has(kernel, "KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA");
    has(kernel, "without KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA");
    has(kernel, "no Linux release");
}

} // namespace
} // namespace xovl::kvm
