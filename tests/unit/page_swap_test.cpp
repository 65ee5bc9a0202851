// SPDX-License-Identifier: GPL-2.0-or-later
// PageSwap on memory of this process, by the real system calls: what it does
// to memory is the kernel's doing, and a model would show what we believe.
#include "host/page_swap.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <thread>

#include "abi/types.hpp"
#include "fakes/faults.hpp"
#include "fakes/faulty_pages.hpp"

namespace xovl::host
{
namespace
{

using abi::kPageSize;

constexpr std::size_t kWords = kPageSize / sizeof(std::uint64_t);
constexpr std::size_t kFrames = 8;

using Words = volatile std::uint64_t *;

// Guest RAM, as QEMU makes it, and the page.
class PageSwapTest : public testing::Test
{
protected:
    PageSwapTest()
        : ram_(map(kFrames * kPageSize, MAP_PRIVATE)),
          page_(map(kPageSize, MAP_SHARED)), swap_(pages_, page_)
    {
        for (std::size_t i = 0; i < kFrames; ++i) {
            fill(frame(i), pattern(i));
        }
        fill(page(), kPage);
    }
    ~PageSwapTest() override
    {
        faults_.clear();
        EXPECT_TRUE(swap_.hide());
        munmap(ram_, kFrames * kPageSize);
        munmap(page_, kPageSize);
    }

    static std::byte *map(std::size_t size, int flags)
    {
        void *const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                  flags | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(memory, MAP_FAILED);
        EXPECT_EQ(madvise(memory, size, MADV_DONTFORK), 0);
        return static_cast<std::byte *>(memory);
    }
    static void fill(Words words, std::uint64_t first)
    {
        for (std::size_t i = 0; i < kWords; ++i) {
            words[i] = first + i;
        }
    }
    static bool holds(Words words, std::uint64_t first)
    {
        for (std::size_t i = 0; i < kWords; ++i) {
            if (words[i] != first + i) {
                return false;
            }
        }
        return true;
    }
    static std::uint64_t pattern(std::size_t frame)
    {
        return (frame + 1) << 32;
    }

    [[nodiscard]] Words frame(std::size_t i) const
    {
        return reinterpret_cast<Words>(address(i));
    }
    [[nodiscard]] std::byte *address(std::size_t i) const
    {
        return ram_ + i * kPageSize;
    }
    [[nodiscard]] Words page() const { return reinterpret_cast<Words>(page_); }
    [[nodiscard]] bool ram_is_intact() const
    {
        for (std::size_t i = 0; i < kFrames; ++i) {
            if (!holds(frame(i), pattern(i))) {
                return false;
            }
        }
        return true;
    }

    // What the kernel has of guest RAM: one line per mapping, with its flags.
    [[nodiscard]] std::string mappings() const
    {
        const auto begin = reinterpret_cast<std::uintptr_t>(ram_);
        const auto end = begin + kFrames * kPageSize;
        std::ifstream smaps("/proc/self/smaps");
        std::string found;
        bool inside = false;
        for (std::string line; std::getline(smaps, line);) {
            std::istringstream words(line);
            std::uintptr_t from = 0;
            std::uintptr_t to = 0;
            char dash = 0;
            if (words >> std::hex >> from >> dash >> to && dash == '-') {
                inside = from < end && begin < to;
                if (inside) {
                    std::ostringstream range;
                    range << std::hex << std::max(from, begin) << '-'
                          << std::min(to, end);
                    found += range.str();
                }
            } else if (inside && line.starts_with("VmFlags:")) {
                found += line.substr(8) + '\n';
            }
        }
        return found;
    }

    static constexpr std::uint64_t kPage = std::uint64_t{0x5a} << 56;

    fakes::Faults faults_;
    fakes::FaultyPages pages_{faults_};
    std::byte *ram_;
    std::byte *page_;
    PageSwap swap_;
};

TEST_F(PageSwapTest, ShowsThePageAndBringsBackWhatWasThere)
{
    ASSERT_TRUE(swap_.show(address(3)));
    EXPECT_EQ(swap_.frames(), 1U);
    EXPECT_TRUE(holds(frame(3), kPage));
    // It is the page, not a copy.
    frame(3)[5] = 1;
    EXPECT_EQ(page()[5], 1U);
    page()[7] = 2;
    EXPECT_EQ(frame(3)[7], 2U);

    ASSERT_TRUE(swap_.hide());
    EXPECT_EQ(swap_.frames(), 0U);
    EXPECT_TRUE(ram_is_intact());
    EXPECT_EQ(page()[5], 1U);
    EXPECT_EQ(page()[7], 2U);
}

TEST_F(PageSwapTest, GoesFromFrameToFrame)
{
    for (const std::size_t i : {1U, 2U, 5U, 1U}) {
        ASSERT_TRUE(swap_.show(address(i)));
        EXPECT_EQ(swap_.frames(), 1U);
        for (std::size_t other = 0; other < kFrames; ++other) {
            EXPECT_TRUE(
                holds(frame(other), other == i ? kPage : pattern(other)));
        }
    }
    // There it is already.
    faults_.clear();
    ASSERT_TRUE(swap_.show(address(1)));
    EXPECT_EQ(faults_.calls(), 0U);
    ASSERT_TRUE(swap_.hide());
    EXPECT_TRUE(ram_is_intact());
}

// Or a guest would look for its events and find none, for as long as the
// thread that moves the page does not run.
TEST_F(PageSwapTest, IsAlwaysAtOneOfThem)
{
    ASSERT_TRUE(swap_.show(address(1)));
    unsigned looks = 0;
    pages_.look = [&] {
        EXPECT_TRUE(holds(frame(1), kPage) || holds(frame(2), kPage));
        ++looks;
    };
    ASSERT_TRUE(swap_.show(address(2)));
    EXPECT_EQ(looks, 3U);
    ASSERT_TRUE(swap_.show(address(1)));
    pages_.look = [] {};
}

TEST_F(PageSwapTest, AMoveThatFailsChangesNothing)
{
    ASSERT_TRUE(swap_.show(address(1)));
    for (const bool late : {false, true}) {
        for (unsigned n = 1; n <= 3; ++n) {
            SCOPED_TRACE(testing::Message() << "call " << n << " fails "
                                            << (late ? "late" : "early"));
            pages_.fails_late = late;
            faults_.fail_nth(n, -ENOMEM);
            EXPECT_EQ(swap_.show(address(2)).error().value(), -ENOMEM);
            EXPECT_EQ(faults_.strikes(), 1U);
            EXPECT_EQ(swap_.frames(), 1U);
            EXPECT_TRUE(holds(frame(1), kPage));
            EXPECT_TRUE(holds(frame(2), pattern(2)));
            faults_.clear();
        }
    }
    ASSERT_TRUE(swap_.show(address(2)));
    EXPECT_TRUE(holds(frame(1), pattern(1)));
    EXPECT_TRUE(holds(frame(2), kPage));
}

// Neither there nor back.
TEST_F(PageSwapTest, RamThatCouldNotBePutBackAfterAMoveIsKept)
{
    ASSERT_TRUE(swap_.show(address(1)));
    for (const bool late : {false, true}) {
        SCOPED_TRACE(late);
        pages_.fails_late = late;
        // The page shows there; here it should not, twice; nor there.
        faults_.fail({3, 4, 5}, -ENOMEM);
        EXPECT_EQ(swap_.show(address(2)).error().value(), -ENOMEM);
        EXPECT_EQ(swap_.frames(), 2U);
        faults_.clear();
        EXPECT_EQ(swap_.show(address(3)).error().value(), -EBUSY);
        ASSERT_TRUE(swap_.hide());
        EXPECT_EQ(swap_.frames(), 0U);
        EXPECT_TRUE(ram_is_intact());
        ASSERT_TRUE(swap_.show(address(1)));
    }
}

TEST_F(PageSwapTest, HidingWhatIsHiddenDoesNothing)
{
    EXPECT_TRUE(swap_.hide());
    EXPECT_EQ(faults_.calls(), 0U);
}

// Flags without those of the advice to read at random, or not.
std::string without_that(std::string mappings)
{
    for (const std::string what : {" rr", " sr"}) {
        for (std::size_t at = 0;
             (at = mappings.find(what, at)) != std::string::npos;) {
            mappings.erase(at, what.size());
        }
    }
    return mappings;
}

TEST_F(PageSwapTest, LeavesLittleTraceInTheMappings)
{
    const std::string before = mappings();
    const auto lines = [](const std::string &text) {
        return std::count(text.begin(), text.end(), '\n');
    };
    EXPECT_EQ(lines(before), 1) << before;
    for (std::size_t i = 0; i < 1000; ++i) {
        ASSERT_TRUE(swap_.show(address(i * 5 % kFrames)));
        ASSERT_TRUE(swap_.hide());
    }
    // The last four frames are apart.
    EXPECT_LE(lines(mappings()), 2 * 4 + 1) << mappings();
    // All with the advice that there was.
    const std::string flags = before.substr(before.find(' '));
    std::istringstream now(mappings());
    for (std::string line; std::getline(now, line);) {
        EXPECT_EQ(without_that(line.substr(line.find(' '))) + '\n', flags);
    }
    EXPECT_TRUE(ram_is_intact());
    EXPECT_TRUE(holds(page(), kPage));
}

TEST_F(PageSwapTest, ToAndFroSplitsNothing)
{
    const auto swap_all = [this] {
        for (std::size_t i = 1; i < 8; i += 2) {
            ASSERT_TRUE(swap_.show(address(i)));
            ASSERT_TRUE(swap_.hide());
        }
    };
    swap_all();
    const std::string once = mappings();
    swap_all();
    EXPECT_EQ(mappings(), once);
    EXPECT_EQ(std::count(once.begin(), once.end(), '\n'), 8) << once;
}

TEST_F(PageSwapTest, JoinsWhatItSplit)
{
    const std::string before = mappings();
    // Whether nothing, some or all of the frames are apart.
    for (std::size_t i = 0; i < kFrames; ++i) {
        swap_.join();
        EXPECT_EQ(without_that(mappings()), before) << i;
        for (std::size_t j = 0; j < i; ++j) {
            ASSERT_TRUE(swap_.show(address(j)));
            ASSERT_TRUE(swap_.hide());
        }
    }
    EXPECT_TRUE(ram_is_intact());
}

// Also where the frame whose turn it is to be joined is the one that shows.
TEST_F(PageSwapTest, JoinsWhatShowedMeanwhile)
{
    const std::string before = mappings();
    for (const std::size_t i : {0, 1, 2, 3, 0, 4, 5, 6, 1, 7, 2, 3}) {
        ASSERT_TRUE(swap_.show(address(i)));
    }
    ASSERT_TRUE(swap_.hide());
    swap_.join();
    EXPECT_EQ(without_that(mappings()), before);
    EXPECT_TRUE(ram_is_intact());
}

TEST_F(PageSwapTest, ThePageHasItsAdviceWhereItShows)
{
    ASSERT_TRUE(swap_.show(address(3)));
    // "dc": not inherited by fork, for each of the three mappings.
    const std::string now = mappings();
    std::size_t found = 0;
    for (std::size_t at = now.find(" dc"); at != std::string::npos;
         at = now.find(" dc", at + 1)) {
        ++found;
    }
    EXPECT_EQ(found, 3U) << now;
}

TEST_F(PageSwapTest, RamThatWasNeverTouched)
{
    std::byte *const fresh = map(3 * kPageSize, MAP_PRIVATE);
    ASSERT_TRUE(swap_.show(fresh + kPageSize));
    EXPECT_TRUE(holds(reinterpret_cast<Words>(fresh + kPageSize), kPage));
    ASSERT_TRUE(swap_.hide());
    EXPECT_TRUE(std::all_of(fresh, fresh + 3 * kPageSize,
                            [](std::byte b) { return b == std::byte{0}; }));
    munmap(fresh, 3 * kPageSize);
}

TEST_F(PageSwapTest, PartOfAHugePage)
{
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    std::byte *const area = map(2 * kHuge, MAP_PRIVATE);
    auto *const huge = reinterpret_cast<std::byte *>(
        (reinterpret_cast<std::uintptr_t>(area) + kHuge - 1) & ~(kHuge - 1));
    madvise(huge, kHuge, MADV_HUGEPAGE); // where the kernel has any
    const auto words = reinterpret_cast<Words>(huge);
    for (std::size_t i = 0; i < kHuge / sizeof(std::uint64_t); ++i) {
        words[i] = i;
    }
    ASSERT_TRUE(swap_.show(huge + 17 * kPageSize));
    EXPECT_TRUE(holds(words + 17 * kWords, kPage));
    EXPECT_TRUE(holds(words + 16 * kWords, 16 * kWords));
    EXPECT_TRUE(holds(words + 18 * kWords, 18 * kWords));
    ASSERT_TRUE(swap_.hide());
    for (std::size_t i = 0; i < kHuge / sizeof(std::uint64_t); ++i) {
        ASSERT_EQ(words[i], i);
    }
    munmap(area, 2 * kHuge);
}

TEST_F(PageSwapTest, AFailureChangesNothing)
{
    for (const bool late : {false, true}) {
        for (unsigned n = 1; n <= 2; ++n) {
            SCOPED_TRACE(testing::Message() << "call " << n << " fails "
                                            << (late ? "late" : "early"));
            pages_.fails_late = late;
            faults_.fail_nth(n, -ENOMEM);
            EXPECT_EQ(swap_.show(address(3)).error().value(), -ENOMEM);
            EXPECT_EQ(faults_.strikes(), 1U);
            EXPECT_EQ(swap_.frames(), 0U);
            EXPECT_TRUE(ram_is_intact());
            EXPECT_TRUE(holds(page(), kPage));

            faults_.clear();
            ASSERT_TRUE(swap_.show(address(3)));
            EXPECT_TRUE(holds(frame(3), kPage));
            ASSERT_TRUE(swap_.hide());
        }
    }
}

TEST_F(PageSwapTest, AFailureToHideLeavesThePage)
{
    ASSERT_TRUE(swap_.show(address(3)));
    faults_.fail_nth(1, -ENOMEM);
    EXPECT_EQ(swap_.hide().error().value(), -ENOMEM);
    EXPECT_EQ(swap_.frames(), 1U);
    EXPECT_TRUE(holds(frame(3), kPage));
    ASSERT_TRUE(swap_.hide());
    EXPECT_TRUE(ram_is_intact());
}

TEST_F(PageSwapTest, RamThatCouldNotBePutBackIsKept)
{
    for (const bool late : {false, true}) {
        SCOPED_TRACE(late);
        pages_.fails_late = late;
        faults_.fail({2, 3}, -ENOMEM);
        EXPECT_EQ(swap_.show(address(3)).error().value(), -ENOMEM);
        EXPECT_EQ(swap_.frames(), 1U);
        ASSERT_TRUE(swap_.hide());
        EXPECT_TRUE(ram_is_intact());
    }
}

// What a vCPU sees: no access faults, no write to a neighbour is lost, and at
// the frame nothing is read but what was there, the page, or nothing.
TEST_F(PageSwapTest, WhileOthersUseTheMemory)
{
    constexpr std::size_t kFrame = 3;
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> torn = 0;
    std::atomic<std::uint64_t> rounds = 0;
    std::array<std::uint64_t, 2> written{};

    std::thread reader([&] {
        while (!stop) {
            for (std::size_t i = 0; i < kWords; i += 37) {
                const std::uint64_t word = frame(kFrame)[i];
                if (word != 0 && word != pattern(kFrame) + i &&
                    word != kPage + i) {
                    ++torn;
                }
            }
            ++rounds;
        }
    });
    const auto writer = [&](std::size_t which, std::size_t neighbour) {
        while (!stop) {
            const std::uint64_t next = ++written[which];
            if (frame(neighbour)[0] != next - 1) {
                ++torn;
            }
            frame(neighbour)[0] = next;
            ++rounds;
        }
    };
    frame(kFrame - 1)[0] = 0;
    frame(kFrame + 1)[0] = 0;
    std::thread below(writer, 0, kFrame - 1);
    std::thread above(writer, 1, kFrame + 1);

    for (int i = 0; i < 3000 || rounds < 1000; ++i) {
        ASSERT_TRUE(swap_.show(address(kFrame)));
        ASSERT_TRUE(swap_.hide());
    }
    stop = true;
    reader.join();
    below.join();
    above.join();
    EXPECT_EQ(torn, 0U);
    EXPECT_EQ(frame(kFrame - 1)[0], written[0]);
    EXPECT_EQ(frame(kFrame + 1)[0], written[1]);
    EXPECT_TRUE(holds(frame(kFrame), pattern(kFrame)));
    EXPECT_TRUE(holds(page(), kPage));
}

} // namespace
} // namespace xovl::host
