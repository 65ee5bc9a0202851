// SPDX-License-Identifier: GPL-2.0-or-later
// HYPERVISOR_memory_op for guests of both widths.
#include "core/memory_op.hpp"

#include <cerrno>
#include <gtest/gtest.h>

#include "abi/hypercall.hpp"
#include "fakes/fake_guest_memory.hpp"
#include "overlay_bed.hpp"

namespace xovl::core
{
namespace
{

using abi::DOMID_SELF;
using abi::Gpa;
using abi::XENMAPSPACE_gmfn;
using abi::XENMAPSPACE_gmfn_foreign;
using abi::XENMAPSPACE_gmfn_range;
using abi::XENMAPSPACE_grant_table;
using abi::XENMAPSPACE_shared_info;
using abi::XENMEM_add_to_physmap;
using abi::XENMEM_add_to_physmap_batch;
using abi::XENMEM_remove_from_physmap;

constexpr std::uint16_t kDomid = 7;
constexpr XenVersion kXen416{0x40010};
constexpr XenVersion kXen417{0x40011};

Page grant(std::uint64_t index)
{
    return fakes::FakeAddressSpace::grant_page(index);
}

template <typename Word>
class MemoryOp : public testing::Test
{
protected:
    static constexpr std::uint64_t kBase = 0x7000;
    static constexpr std::uint64_t kArgument = kBase + 0x10;
    static constexpr std::uint64_t kIdxs = kBase + 0x100;
    static constexpr std::uint64_t kGpfns = kBase + 0x200;
    static constexpr std::uint64_t kErrs = kBase + 0x300;
    static constexpr Word kAllOnes = static_cast<Word>(~std::uint64_t{0});

    MemoryOp() { EXPECT_TRUE(bed_.overlay->start()); }

    // The answer; nullopt: not handled.
    std::optional<int> call(std::uint64_t command,
                            std::uint64_t argument = kArgument)
    {
        const auto status =
            memory_op(*bed_.overlay, bed_.space,
                      {memory_, kDomid, sizeof(Word) == 8}, command, argument);
        if (!status) {
            return std::nullopt;
        }
        return *status ? 0 : status->error().value();
    }

    std::optional<int> add(std::uint32_t space, Word idx, Word gpfn,
                           std::uint16_t domid = DOMID_SELF)
    {
        memory_.write(kArgument, abi::xen_add_to_physmap<Word>{
                                     domid, 0xffff, space, idx, gpfn});
        return call(XENMEM_add_to_physmap);
    }

    std::optional<int> remove(Word gpfn, std::uint16_t domid = DOMID_SELF,
                              std::uint64_t extent = 0)
    {
        memory_.write(kArgument,
                      abi::xen_remove_from_physmap<Word>{domid, gpfn});
        return call(XENMEM_remove_from_physmap |
                    extent << abi::MEMOP_EXTENT_SHIFT);
    }

    void item(std::uint64_t n, Word idx, Word gpfn)
    {
        memory_.write(kIdxs + n * sizeof(Word), idx);
        memory_.write(kGpfns + n * sizeof(Word), gpfn);
        memory_.write(kErrs + n * 4, std::int32_t{99});
    }

    std::int32_t err(std::uint64_t n)
    {
        return memory_.template read<std::int32_t>(kErrs + n * 4);
    }

    std::optional<int> batch(std::uint16_t space, std::uint16_t size,
                             std::uint16_t domid = DOMID_SELF,
                             std::uint64_t extent = 0)
    {
        memory_.write(kArgument,
                      abi::xen_add_to_physmap_batch<Word>{
                          domid, space, size, 0, kIdxs, kGpfns, kErrs});
        return call(XENMEM_add_to_physmap_batch |
                    extent << abi::MEMOP_EXTENT_SHIFT);
    }

    OverlayBed bed_{kHvaHva, kXen417};
    fakes::FakeGuestMemory memory_{kBase, 0x1000};
};

using Words = testing::Types<std::uint64_t, std::uint32_t>;
TYPED_TEST_SUITE(MemoryOp, Words);

TYPED_TEST(MemoryOp, OthersAreNotOurs)
{
    for (const std::uint64_t command : {0, 1, 6, 8, 14, 16, 22, 24, 63}) {
        EXPECT_EQ(this->call(command), std::nullopt) << command;
        EXPECT_FALSE(is_memory_op(command)) << command;
    }
}

TEST(IsMemoryOp, OursWithAnyExtent)
{
    for (const std::uint64_t command :
         {XENMEM_add_to_physmap, XENMEM_add_to_physmap_batch,
          XENMEM_remove_from_physmap}) {
        EXPECT_TRUE(is_memory_op(command)) << command;
        EXPECT_TRUE(is_memory_op(command | 3 << abi::MEMOP_EXTENT_SHIFT))
            << command;
    }
}

TYPED_TEST(MemoryOp, Add)
{
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x12), 0);
    EXPECT_EQ(this->bed_.space.page(), Gpa{0x12000});
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0, kDomid), 0);
    EXPECT_EQ(this->bed_.space.page(), Gpa{0});
    EXPECT_EQ(this->add(XENMAPSPACE_grant_table, 3, 0x13), 0);
    EXPECT_EQ(this->bed_.space.page(grant(3)), Gpa{0x13000});
    EXPECT_EQ(this->bed_.overlay->stats().rejected, 0U);
}

TYPED_TEST(MemoryOp, AddRefuses)
{
    ASSERT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x12), 0);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 1, 0x13), -EINVAL);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, this->kAllOnes, 0x13),
              -EINVAL);
    EXPECT_EQ(this->add(XENMAPSPACE_grant_table, 4, 0x13), -EINVAL);
    EXPECT_EQ(this->add(XENMAPSPACE_gmfn, 0, 0x13), -EOPNOTSUPP);
    EXPECT_EQ(this->add(XENMAPSPACE_gmfn_range, 0, 0x13), -EOPNOTSUPP);
    EXPECT_EQ(this->add(XENMAPSPACE_gmfn_foreign, 0, 0x13), -ENOSYS);
    EXPECT_EQ(this->add(5, 0, 0x13), -EINVAL);
    EXPECT_EQ(this->add(0xffffffff, 0, 0x13), -EINVAL);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x13, 0), -EPERM);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x13, kDomid + 1), -ESRCH);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x13, 0x7ff1), -ESRCH);
    // The domain comes before the frame, and the frame before the index.
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 1, 1u << 28, 3), -ESRCH);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0xfeffa), -EPERM);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 1u << 28), -ENOENT);
    EXPECT_EQ(this->add(XENMAPSPACE_grant_table, 0, 1u << 28), -ENOENT);
    EXPECT_EQ(this->call(XENMEM_add_to_physmap, this->kBase - 1), -EFAULT);
    EXPECT_EQ(this->call(XENMEM_add_to_physmap, ~0ULL), -EFAULT);
    EXPECT_EQ(this->call(XENMEM_add_to_physmap | 0x10000ULL << 6), -EDOM);
    // And all the while it stayed where it was.
    EXPECT_EQ(this->bed_.overlay->gpa(), Gpa{0x12000});
    EXPECT_EQ(this->bed_.space.placements(), 1U);
    EXPECT_EQ(this->bed_.overlay->stats().rejected, 18U);
}

// Xen widens a 32-bit guest's number before it looks for all ones.
TEST(MemoryOpInvalidGfn, DependsOnWidthAndVersion)
{
    for (const auto &[version, expected] :
         {std::pair(kXen416, -ENOENT), std::pair(kXen417, -EINVAL)}) {
        OverlayBed bed(kHvaHva, version);
        ASSERT_TRUE(bed.overlay->start());
        fakes::FakeGuestMemory memory(0, 0x100);
        memory.write(0, abi::xen_add_to_physmap<std::uint64_t>{
                            DOMID_SELF, 0, XENMAPSPACE_shared_info, 0,
                            ~std::uint64_t{0}});
        const auto answer =
            memory_op(*bed.overlay, bed.space, {memory, kDomid, true},
                      XENMEM_add_to_physmap, 0);
        EXPECT_EQ(answer->error().value(), expected);
        memory.write(0, abi::xen_add_to_physmap<std::uint32_t>{
                            DOMID_SELF, 0, XENMAPSPACE_shared_info, 0,
                            ~std::uint32_t{0}});
        const auto compat =
            memory_op(*bed.overlay, bed.space, {memory, kDomid, false},
                      XENMEM_add_to_physmap, 0);
        EXPECT_EQ(compat->error().value(), -ENOENT);
    }
}

// No shift may drop the bits that make the difference.
TEST(MemoryOpInvalidGfn, IsNotCutOff)
{
    OverlayBed bed(kHvaHva);
    ASSERT_TRUE(bed.overlay->start());
    fakes::FakeGuestMemory memory(0, 0x100);
    for (const std::uint64_t gfn :
         {(1ULL << 52) + 1, 1ULL << 63, 1ULL << 51, 1ULL << 45}) {
        for (const auto space :
             {XENMAPSPACE_shared_info, XENMAPSPACE_grant_table}) {
            memory.write(0, abi::xen_add_to_physmap<std::uint64_t>{
                                DOMID_SELF, 0, space, 0, gfn});
            const auto answer =
                memory_op(*bed.overlay, bed.space, {memory, kDomid, true},
                          XENMEM_add_to_physmap, 0);
            EXPECT_EQ(answer->error().value(), -ENOENT) << gfn;
        }
    }
    EXPECT_EQ(bed.space.placements(), 0U);
}

TYPED_TEST(MemoryOp, Remove)
{
    EXPECT_EQ(this->remove(0x12), -ENOENT);
    ASSERT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x12), 0);
    ASSERT_EQ(this->add(XENMAPSPACE_grant_table, 0, 0x13), 0);
    EXPECT_EQ(this->remove(0x12, DOMID_SELF, 1), -EINVAL);
    EXPECT_EQ(this->remove(0x12, 3), -ESRCH);
    EXPECT_EQ(this->remove(this->kAllOnes), -ENOENT);
    EXPECT_EQ(this->call(XENMEM_remove_from_physmap, 0), -EFAULT);
    EXPECT_EQ(this->bed_.space.page(), Gpa{0x12000});

    EXPECT_EQ(this->remove(0x12), 0);
    EXPECT_EQ(this->bed_.space.page(), std::nullopt);
    EXPECT_EQ(this->remove(0x12), -ENOENT);
    EXPECT_EQ(this->remove(0x13, kDomid), 0);
    EXPECT_EQ(this->bed_.space.page(grant(0)), std::nullopt);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x12), 0);
}

TYPED_TEST(MemoryOp, Batch)
{
    this->item(0, 0, 0x20);
    this->item(1, 1, 0x21);
    this->item(2, 0, 1u << 28);
    this->item(3, 0, 0x23);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 4), 0);
    EXPECT_EQ(this->err(0), 0);
    EXPECT_EQ(this->err(1), -EINVAL);
    EXPECT_EQ(this->err(2), -ENOENT);
    EXPECT_EQ(this->err(3), 0);
    // The last one wins, and nothing moved in between.
    EXPECT_EQ(this->bed_.space.page(), Gpa{0x23000});
    EXPECT_EQ(this->bed_.space.placements(), 1U);
    EXPECT_EQ(this->bed_.overlay->stats().rejected, 2U);
    EXPECT_EQ(this->bed_.overlay->stats().maps, 1U);
}

TYPED_TEST(MemoryOp, BatchOfGrantFrames)
{
    this->item(0, 0, 0x20);
    this->item(1, 2, 0x21);
    this->item(2, 1, 0x21);
    this->item(3, 0, 0x22);
    EXPECT_EQ(this->batch(XENMAPSPACE_grant_table, 4), 0);
    EXPECT_EQ(this->bed_.space.page(grant(0)), Gpa{0x22000});
    EXPECT_EQ(this->bed_.space.page(grant(1)), Gpa{0x21000});
    EXPECT_EQ(this->bed_.space.page(grant(2)), std::nullopt);
}

TYPED_TEST(MemoryOp, BatchRefuses)
{
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 0), 0);
    // Before the domain is looked at.
    EXPECT_EQ(this->batch(XENMAPSPACE_gmfn_range, 1, 3), -EOPNOTSUPP);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 1, 3), -ESRCH);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 1, 0), -EPERM);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 1, DOMID_SELF, 2), -EILSEQ);
    EXPECT_EQ(this->call(XENMEM_add_to_physmap_batch | 0x10000ULL << 6), -EDOM);
    EXPECT_EQ(this->call(XENMEM_add_to_physmap_batch, 0), -EFAULT);
    this->item(0, 0, 0x20);
    EXPECT_EQ(this->batch(XENMAPSPACE_gmfn, 1), 0);
    EXPECT_EQ(this->err(0), -EOPNOTSUPP);
    EXPECT_EQ(this->batch(XENMAPSPACE_gmfn_foreign, 1), 0);
    EXPECT_EQ(this->err(0), -EPERM);
    EXPECT_EQ(this->bed_.space.placements(), 0U);
}

TYPED_TEST(MemoryOp, BatchGoesOnWhereItWas)
{
    this->item(0, 0, 0x20);
    this->item(1, 1, 0x21);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 2, DOMID_SELF, 1), 0);
    EXPECT_EQ(this->err(0), 99);
    EXPECT_EQ(this->err(1), -EINVAL);
    EXPECT_EQ(this->bed_.space.page(), std::nullopt);
}

// What came before it stands.
TYPED_TEST(MemoryOp, BatchEndsAtAFault)
{
    using Batch = abi::xen_add_to_physmap_batch<TypeParam>;
    this->item(0, 0, 0x20);
    this->item(1, 0, 0x21);
    const auto end = static_cast<TypeParam>(this->kBase + 0x1000);
    const auto word = static_cast<TypeParam>(sizeof(TypeParam));
    for (const Batch &batch :
         {Batch{DOMID_SELF, 0, 2, 0, static_cast<TypeParam>(end - word),
                this->kGpfns, this->kErrs},
          Batch{DOMID_SELF, 0, 2, 0, this->kIdxs,
                static_cast<TypeParam>(end - word), this->kErrs},
          Batch{DOMID_SELF, 0, 2, 0, this->kIdxs, this->kGpfns,
                static_cast<TypeParam>(end - 4)}}) {
        this->memory_.write(this->kArgument, batch);
        this->memory_.write(end - word, TypeParam{0});
        EXPECT_EQ(this->call(XENMEM_add_to_physmap_batch), -EFAULT);
    }
    EXPECT_NE(this->bed_.space.page(), std::nullopt);
}

// All ones ends the call, and that item's error is not written.
TEST(MemoryOpInvalidGfn, EndsABatch)
{
    OverlayBed bed(kHvaHva);
    ASSERT_TRUE(bed.overlay->start());
    fakes::FakeGuestMemory memory(0, 0x400);
    memory.write(0, abi::xen_add_to_physmap_batch<std::uint64_t>{
                        DOMID_SELF, 0, 3, 0, 0x100, 0x200, 0x300});
    memory.write(0x200, std::uint64_t{0x20});
    memory.write(0x208, ~std::uint64_t{0});
    memory.write(0x210, std::uint64_t{0x21});
    memory.write(0x300, std::uint64_t{0x6363636363636363});
    const auto answer =
        memory_op(*bed.overlay, bed.space, {memory, kDomid, true},
                  XENMEM_add_to_physmap_batch, 0);
    EXPECT_EQ(answer->error().value(), -EINVAL);
    EXPECT_EQ(memory.read<std::int32_t>(0x300), 0);
    EXPECT_EQ(memory.read<std::int32_t>(0x304), 0x63636363);
    EXPECT_EQ(bed.space.page(), Gpa{0x20000});
}

TYPED_TEST(MemoryOp, PortFails)
{
    this->bed_.faults.fail_nth(1, -ENOMEM);
    EXPECT_EQ(this->add(XENMAPSPACE_shared_info, 0, 0x12), -ENOMEM);
    this->item(0, 0, 0x20);
    this->bed_.faults.fail_nth(1, -ENOMEM);
    EXPECT_EQ(this->batch(XENMAPSPACE_shared_info, 1), -ENOMEM);
    EXPECT_EQ(this->bed_.overlay->stats().rejected, 2U);
    EXPECT_FALSE(this->bed_.overlay->broken());
}

} // namespace
} // namespace xovl::core
