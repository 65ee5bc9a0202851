// SPDX-License-Identifier: GPL-2.0-or-later
#include "condition.hpp"

#include "console.hpp"
#include "cpu.hpp"
#include "lapic.hpp"
#include "page.hpp"
#include "report.hpp"
#include "samples.hpp"
#include "smp.hpp"

namespace xovl::guest
{

namespace
{

// vCPU 0 sends, and vCPU 1 may be who hears it.
constexpr std::uint32_t kMover = 2;

// Of the local APIC's clock: ns.
constexpr std::uint32_t kMovePeriod = 5000000;

std::uint64_t samples[2 * kMaxLoops];
std::uint64_t samples_in_a_move[2 * kMaxLoops];

// Shows RAM below 1 MiB, or what lies behind it (a PAM register of the Q35's).
// It has nothing to do with any event.
void change_a_memslot()
{
    constexpr std::uint16_t kAddress = 0xcf8;
    constexpr std::uint16_t kData = 0xcfc;
    constexpr std::uint32_t kPam2 = 0x92; // 0xc8000 to 0xcffff
    constexpr std::uint8_t kReadAndWrite = 0x33;
    asm volatile("outl %0, %1"
                 :
                 : "a"(0x80000000 | (kPam2 & ~3)), "Nd"(kAddress)
                 : "memory");
    const std::uint8_t was = inb(kData + (kPam2 & 3));
    outb(kData + (kPam2 & 3), was ^ kReadAndWrite);
}

struct Counts {
    std::uint64_t heard;
    std::uint64_t heard_in_a_move;
};

// Each after `before()`.
template <typename Before>
Counts send_all(const Event &event, std::uint64_t loops, Before before)
{
    Counts counts{};
    for (std::uint64_t i = 0; i < loops; ++i) {
        before();
        const Outcome outcome = event.send();
        if (outcome.lost) {
            continue;
        }
        samples[counts.heard++] = outcome.cost;
        if (outcome.in_a_move) {
            samples_in_a_move[counts.heard_in_a_move++] = outcome.cost;
        }
    }
    return counts;
}

void print_count(const Event &event, const char *condition, const char *what,
                 std::uint64_t count)
{
    print("BENCH ", event.name, condition, what, " ", count, "\n");
}

template <typename Before>
void measure_after(const Event &event, const char *condition,
                   std::uint64_t loops, Before before)
{
    const Counts counts = send_all(event, loops, before);
    if (counts.heard != loops) {
        fail(loops - counts.heard, " events of ", loops,
             " were lost: ", event.name, condition);
    }
    print_samples(samples, loops, event.name, condition);
}

void steady(const Event &event, std::uint64_t loops)
{
    measure_after(event, "", loops, [] {});
}

// In both, the threads of the other vCPUs may have been sent out of the guest;
// which takes them their time to get back, on the host's one CPU.
void after_memslot(const Event &event, std::uint64_t loops)
{
    measure_after(event, "-after-memslot", loops, [] {
        change_a_memslot();
        pause_at_random();
    });
}

void after_move(const Event &event, std::uint64_t loops)
{
    measure_after(event, "-after-move", loops, [] {
        move_page();
        pause_at_random();
    });
}

// Before and after all moves there is `prepare()`, and before each `between()`.
// Events are sent at times that have nothing to do with moves.
template <typename Prepare, typename Between>
void measure_while_moved(const Event &event, const char *condition,
                         std::uint64_t loops, Prepare prepare, Between between)
{
    Cpu *const mover = cpu(kMover);
    if (!mover) {
        return;
    }
    volatile bool stop = false;
    volatile std::uint64_t moves = 0;
    auto work = [&] {
        prepare(true);
        while (!stop) {
            between();
            move_page();
            moves = moves + 1;
        }
        prepare(false);
    };
    expect_moves(true);
    start_on(*mover, work);
    const Counts counts = send_all(event, loops, pause_at_random);
    stop = true;
    // The time of a move, and one more: halted, or it is their time that this
    // takes.
    for (int i = 0; i < 5; ++i) {
        pause_at_random();
    }
    if (!finish_work(*mover, kWorkMs)) {
        error("the vCPU that moves the page does not stop");
    }
    expect_moves(false);
    print_samples(samples, counts.heard, event.name, condition);
    print_samples(samples_in_a_move, counts.heard_in_a_move, event.name,
                  condition, "-in-a-move");
    print_count(event, condition, "-lost", loops - counts.heard);
    print_count(event, condition, "-moves", moves);
}

// All the time, so fewer events say enough.
void while_moved(const Event &event, std::uint64_t loops)
{
    measure_while_moved(
        event, "-while-moved", loops / 5, [](bool) {}, [] {});
}

// Now and then. All vCPUs halt between what they do, so that with one host CPU
// for all of them nobody waits for another's time slice to end.
void with_moves(const Event &event, std::uint64_t loops)
{
    measure_while_moved(
        event, "-with-moves", 2 * loops,
        [](bool on) { lapic_repeat(kAlarmVector, on ? kMovePeriod : 0); },
        halt_once);
}

struct Condition {
    char letter;
    void (*measure)(const Event &event, std::uint64_t loops);
};

constexpr Condition conditions[] = {
    {'-', steady},      {'m', after_memslot}, {'r', after_move},
    {'w', while_moved}, {'h', with_moves},
};

} // namespace

bool measure(const Event &event, char condition, std::uint64_t loops)
{
    for (const Condition &one : conditions) {
        if (one.letter == condition) {
            if (event.possible()) {
                one.measure(event, loops);
            }
            return true;
        }
    }
    return false;
}

} // namespace xovl::guest
