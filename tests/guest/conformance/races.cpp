// SPDX-License-Identifier: GPL-2.0-or-later
// C-14, C-15, C-39: two vCPUs at once. How many operations it were, each says
// in its verdict; `loops=` asks for more, `seed=` for others.
#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "items.hpp"
#include "state.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr unsigned kPorts = 200;
constexpr std::uint32_t kRaceMs = 600000;

struct Race {
    std::uint64_t remaps;
    std::uint64_t sends;
    std::uint64_t lost;
    std::uint64_t holes;
    std::uint64_t corrupted;
    std::intptr_t refused;     // a remap that was not answered by 0
    std::intptr_t send_failed; // an EVTCHNOP_send that was not
    std::size_t offset;        // where the RAM was corrupted, and what it had
    Word found;
    bool selector_wedged;
    bool stuck;
    bool done;
};

// C-14 and C-15 are two views of one race.
Race race;

// RAM pages to map over, which then are not used for anything else.
Page race_pages[2];

Word race_pattern(unsigned page, std::size_t word)
{
    return static_cast<Word>(page == 0 ? 0xa5a50000 : 0x5b5b0000) + word;
}

void fill_race_page(unsigned page)
{
    for (std::size_t i = 0; i < kPageWords; ++i) {
        race_pages[page].words[i] = race_pattern(page, i);
    }
}

// What shows at a place that was left: a hole, or the RAM as it was.
void check_left(unsigned page)
{
    const Page &left = race_pages[page];
    if (left.words[kMarkWord] == kAllOnes) {
        ++race.holes;
        return;
    }
    for (std::size_t i = 0; i < kPageWords; ++i) {
        const Word found = left.words[i];
        if (found != race_pattern(page, i)) {
            ++race.corrupted;
            race.offset = i * sizeof(Word);
            race.found = found;
            fill_race_page(page);
            return;
        }
    }
}

// One round: `target` is sent every port once, while shared_info moves.
void run_round(Cpu &sender, Cpu &target, const std::intptr_t *ports,
               std::uint64_t remaps, Random &random)
{
    volatile bool sending = true;
    const std::uint64_t seed = random.below(1 << 30);
    auto send_all = [&] {
        Random mine(seed);
        unsigned order[kPorts];
        for (unsigned i = 0; i < kPorts; ++i) {
            const unsigned other = mine.below(i + 1);
            order[i] = order[other];
            order[other] = i;
        }
        for (const unsigned i : order) {
            const std::intptr_t result =
                send(static_cast<std::uint32_t>(ports[i]));
            if (result < 0) {
                race.send_failed = result;
            }
            spin(mine.below(20000));
        }
        sending = false;
    };
    for (unsigned i = 0; i < kPorts; ++i) {
        clear_pending(static_cast<std::uint32_t>(ports[i]));
    }
    quiet(target);
    start_on(sender, send_all);

    unsigned here = 0;
    bool there_before = false;
    for (std::uint64_t n = 0; n < remaps || sending; ++n) {
        const unsigned next = there_before ? 1 - here : 0;
        if (there_before) {
            check_left(next);
        }
        const std::intptr_t result = map_at(race_pages[next]);
        ++race.remaps;
        if (result != 0) {
            race.refused = result;
            break;
        }
        if (there_before) {
            check_left(here);
        }
        here = next;
        there_before = true;
        if (n > remaps * 1000) {
            break; // a sender that does not come back
        }
    }
    if (!finish_work(sender, kRaceMs)) {
        race.stuck = true;
    }
    race.sends += kPorts;
    const Word selector = vcpu_info(target)->evtchn_pending_sel;
    for (unsigned i = 0; i < kPorts; ++i) {
        const auto port = static_cast<std::uint32_t>(ports[i]);
        if (!pending(port)) {
            ++race.lost;
        }
        if ((selector & Word{1} << port / kWordBits) == 0) {
            race.selector_wedged = true;
        }
    }
}

void run_race(Item &item)
{
    if (race.done || !set_up(item)) {
        return;
    }
    Cpu *const sender = cpu(1);
    if (!sender) {
        item.skip("needs a second vCPU");
        return;
    }
    // The one that moves the page hears the events, with interrupts off; a
    // third is kept entering the guest, so that its time is written.
    Cpu &target = this_cpu();
    Cpu *const busy = cpu(2);
    volatile bool stop_busy = false;
    auto be_busy = [&stop_busy] {
        while (!stop_busy) {
            (void)hypercall(abi::HYPERVISOR_xen_version, abi::XENVER_version);
            spin(1000);
        }
    };

    std::intptr_t ports[kPorts];
    for (std::intptr_t &port : ports) {
        port = bind_ipi(target.id);
        if (port <= 0) {
            item.fail("got=", port, " want=positive: EVTCHNOP_bind_ipi");
            return;
        }
        clear_pending(static_cast<std::uint32_t>(port));
        set_masked(static_cast<std::uint32_t>(port), false);
    }
    for (unsigned page = 0; page < 2; ++page) {
        fill_race_page(page);
    }
    if (busy) {
        start_on(*busy, be_busy);
    }
    constexpr std::uint64_t kRemapsPerRound = 50;
    Random random(options.seed);
    while ((race.remaps < options.loops || race.sends < 2 * options.loops) &&
           race.refused == 0 && !race.stuck) {
        run_round(*sender, target, ports, kRemapsPerRound, random);
    }
    stop_busy = true;
    if (busy && !finish_work(*busy, kWorkMs)) {
        race.stuck = true;
    }
    for (const std::intptr_t port : ports) {
        close_port(static_cast<std::uint32_t>(port));
        clear_pending(static_cast<std::uint32_t>(port));
    }
    quiet(target);
    (void)at_home(item);
    race.done = true;
}

} // namespace

// C-14. Xen uses its own mapping of the page all the time: the guest's view
// moves, and no event can fall in between.
void remap_loses_nothing(Item &item)
{
    run_race(item);
    if (!race.done) {
        return;
    }
    item.equal("a remap", race.refused, 0);
    item.that("the other vCPUs come back", !race.stuck);
    item.equal("EVTCHNOP_send", race.send_failed, 0);
    if (race.lost != 0) {
        item.fail("got=", race.lost, " want=0: events lost, of ", race.sends,
                  " in ", race.remaps, " remaps");
    }
    item.that("every event is in the selector", !race.selector_wedged);
    item.pass("remaps=", race.remaps, " sends=", race.sends,
              " seed=", options.seed);
}

// C-15. Xen frees the RAM, so there is none to be damaged. A VMM that gives it
// back must give it back as it was: nobody writes to the place that was left.
void ram_under_remap(Item &item)
{
    run_race(item);
    if (!race.done) {
        return;
    }
    item.equal("a remap", race.refused, 0);
    if (race.corrupted != 0) {
        item.fail("got=", race.corrupted, " want=0: times RAM was changed in ",
                  race.remaps, " remaps; last at offset ", Hex{race.offset},
                  ": ", Hex{race.found});
    }
    item.pass("remaps=", race.remaps, race.holes != 0 ? ", holes" : ", RAM",
              " seed=", options.seed);
}

// C-39. The wallclock is written between two steps of its version, so a reader
// that minds the version never sees half of it.
void wallclock_not_torn(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    Cpu *const reader = cpu(1);
    if (!reader) {
        item.skip("needs a second vCPU");
        return;
    }
    volatile bool stop_reading = false;
    std::uint64_t reads = 0, changes = 0;
    std::uint32_t torn = 0, backwards = 0;
    auto read = [&] {
        std::uint32_t last = 0, last_sec = 0, last_nsec = 0;
        while (!stop_reading) {
            const std::uint32_t version = info().wc_version;
            const std::uint32_t sec = info().wc_sec;
            const std::uint32_t nsec = info().wc_nsec;
            if (version % 2 != 0 || version != info().wc_version) {
                continue;
            }
            ++reads;
            if (version == last) {
                torn += sec != last_sec || nsec != last_nsec;
            } else {
                ++changes;
                backwards += static_cast<std::int32_t>(version - last) < 0;
            }
            torn += nsec >= 1000000000;
            last = version;
            last_sec = sec;
            last_nsec = nsec;
        }
    };
    start_on(*reader, read);
    std::intptr_t failed = 0;
    for (std::uint64_t n = 0; n < options.loops; ++n) {
        const std::intptr_t result = set_callback();
        failed = result != 0 ? result : failed;
    }
    stop_reading = true;
    item.that("the reader comes back", finish_work(*reader, kWorkMs));
    item.equal("setting HVM_PARAM_CALLBACK_IRQ", failed, 0);
    item.equal("torn reads", static_cast<std::intptr_t>(torn), 0);
    item.equal("versions that went back", static_cast<std::intptr_t>(backwards),
               0);
    item.pass("writes=", options.loops, " reads=", reads,
              " of versions=", changes);
}

} // namespace xovl::guest
