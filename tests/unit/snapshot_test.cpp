// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/snapshot.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>

#include "abi/layout.hpp"

namespace xovl::core
{

namespace
{

// The page as bytes: the offsets below are those of Xen's public headers, so
// that this does not rest on our own declarations of them.
class SnapshotTest : public testing::Test
{
protected:
    template <typename T>
    void put(std::size_t offset, T value)
    {
        std::memcpy(page_ + offset, &value, sizeof(value));
    }

    alignas(abi::kPageSize) std::byte page_[abi::kPageSize] = {};
};

TEST_F(SnapshotTest, SharedInfo64)
{
    put<std::uint64_t>(0x800 + 8 * 63, std::uint64_t{1} << 63); // port 4095
    put<std::uint64_t>(0xa00, 0b101);                           // 0 and 2
    put<std::uint32_t>(0xc00, 6);
    put<std::uint32_t>(0xc04, 0x11111111);
    put<std::uint32_t>(0xc08, 999);
    put<std::uint32_t>(0xc0c, 1);
    put<std::uint64_t>(0xc10, 0x123456789a);
    put<std::uint64_t>(0xc20, 3);

    const SharedInfoSnapshot info = read_shared_info(page_, true);
    EXPECT_TRUE(info.long_mode);
    EXPECT_EQ(4096u, info.ports);
    EXPECT_EQ(std::uint64_t{1} << 63, info.pending[63]);
    EXPECT_EQ(0u, info.pending[0]);
    EXPECT_EQ(0b101u, info.masked[0]);
    EXPECT_EQ(6u, info.wc_version);
    EXPECT_EQ(0x111111111u, info.wc_seconds);
    EXPECT_EQ(999u, info.wc_nanoseconds);
    EXPECT_EQ(0x123456789au, info.max_pfn);
    EXPECT_EQ(3u, info.nmi_reason);
}

TEST_F(SnapshotTest, SharedInfo32)
{
    put<std::uint32_t>(0x800 + 4 * 31, std::uint32_t{1} << 31); // port 1023
    put<std::uint32_t>(0x880 + 4, 0b10);                        // port 33
    put<std::uint32_t>(0x900, 4);
    put<std::uint32_t>(0x904, 0x22222222);
    put<std::uint32_t>(0x908, 12);
    put<std::uint32_t>(0x90c, 0x77);
    put<std::uint32_t>(0x914, 5);
    put<std::uint32_t>(0x924, 2);
    // The 64-bit layout's wallclock, which must not be taken for ours.
    put<std::uint32_t>(0xc00, 1);

    const SharedInfoSnapshot info = read_shared_info(page_, false);
    EXPECT_FALSE(info.long_mode);
    EXPECT_EQ(1024u, info.ports);
    EXPECT_EQ(std::uint64_t{1} << 63, info.pending[15]);
    EXPECT_EQ(0u, info.pending[16]);
    EXPECT_EQ(std::uint64_t{1} << 33, info.masked[0]);
    EXPECT_EQ(4u, info.wc_version);
    EXPECT_EQ(0x222222222u, info.wc_seconds);
    EXPECT_EQ(12u, info.wc_nanoseconds);
    EXPECT_EQ(0x77u, info.max_pfn);
    EXPECT_EQ(5u, info.nmi_reason);
}

TEST_F(SnapshotTest, VcpuInfoInBothWidths)
{
    put<std::uint8_t>(0, 1);
    put<std::uint8_t>(1, 1);
    put<std::uint32_t>(4, 0x80000001);
    put<std::uint64_t>(8, 0x8000000000000001);
    put<std::uint32_t>(0x20, 8);
    put<std::uint64_t>(0x28, 0x123456789abc);
    put<std::uint64_t>(0x30, 0x987654321);
    put<std::uint32_t>(0x38, 0x80000000);
    put<std::int8_t>(0x3c, -3);
    put<std::uint8_t>(0x3d, 1);
    for (const bool long_mode : {true, false}) {
        const VcpuInfoSnapshot info = read_vcpu_info(page_, long_mode);
        EXPECT_TRUE(info.upcall_pending);
        EXPECT_TRUE(info.upcall_mask);
        EXPECT_EQ(long_mode ? 0x8000000000000001 : 0x80000001,
                  info.pending_sel);
        EXPECT_EQ(8u, info.time.version);
        EXPECT_EQ(0x123456789abcu, info.time.tsc_timestamp);
        EXPECT_EQ(0x987654321u, info.time.system_time);
        EXPECT_EQ(0x80000000u, info.time.tsc_to_system_mul);
        EXPECT_EQ(-3, info.time.tsc_shift);
        EXPECT_EQ(1, info.time.flags);
    }
}

// A guest may register any address.
TEST_F(SnapshotTest, VcpuInfoAtAnOddAddress)
{
    put<std::uint8_t>(1, 1);
    put<std::uint64_t>(1 + 8, 42);
    const VcpuInfoSnapshot info = read_vcpu_info(page_ + 1, true);
    EXPECT_TRUE(info.upcall_pending);
    EXPECT_EQ(42u, info.pending_sel);
}

// A guest can write the version too; that must not keep QEMU.
TEST_F(SnapshotTest, AnUpdateThatNeverEnds)
{
    put<std::uint32_t>(0xc00, 7);
    EXPECT_EQ(7u, read_shared_info(page_, true).wc_version);
    put<std::uint32_t>(0x20, 9);
    EXPECT_EQ(9u, read_vcpu_info(page_, true).time.version);
}

// A writer by the protocol: whoever reads never sees halves of two updates.
TEST_F(SnapshotTest, NoTornTime)
{
    auto *info = reinterpret_cast<volatile abi::VcpuInfo64 *>(page_);
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        for (std::uint64_t n = 1; !stop; ++n) {
            info->time.version = static_cast<std::uint32_t>(2 * n - 1);
            std::atomic_thread_fence(std::memory_order_release);
            info->time.tsc_timestamp = n;
            info->time.system_time = ~n;
            std::atomic_thread_fence(std::memory_order_release);
            info->time.version = static_cast<std::uint32_t>(2 * n);
            // Some rest between updates, or there is nothing stable to read.
            for (int i = 0; i < 200 && !stop; ++i) {
                std::atomic_signal_fence(std::memory_order_seq_cst);
            }
        }
    });
    int stable = 0;
    // On a busy machine that many reads can be over before the writer begins.
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (int reads = 0; reads < 20000 ||
                        (stable == 0 && std::chrono::steady_clock::now() < end);
         ++reads) {
        const VcpuInfoSnapshot snapshot = read_vcpu_info(page_, true);
        if (snapshot.time.version == 0 || (snapshot.time.version & 1) != 0) {
            continue;
        }
        ++stable;
        ASSERT_EQ(snapshot.time.tsc_timestamp, ~snapshot.time.system_time);
        ASSERT_EQ(snapshot.time.version,
                  static_cast<std::uint32_t>(2 * snapshot.time.tsc_timestamp));
    }
    stop = true;
    writer.join();
    EXPECT_GT(stable, 0);
}

} // namespace

} // namespace xovl::core
