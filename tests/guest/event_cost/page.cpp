// SPDX-License-Identifier: GPL-2.0-or-later
#include "page.hpp"

#include <cstddef>

#include "abi/types.hpp"
#include "report.hpp"
#include "shared_info.hpp"

namespace xovl::guest
{

namespace
{

struct Page {
    alignas(abi::kPageSize) volatile std::byte bytes[abi::kPageSize];
};

Page pages[2];
volatile std::size_t here; // which of them shows shared_info
volatile bool moving;
volatile bool under_way; // one such move, right now

volatile abi::SharedInfo64 &shown_at(Page &page)
{
    return reinterpret_cast<volatile abi::SharedInfo64 &>(page);
}

std::uint64_t take_from(Page &page, std::uint64_t ports)
{
    return ports & __atomic_fetch_and(&shown_at(page).evtchn_pending[0], ~ports,
                                      __ATOMIC_SEQ_CST);
}

void acknowledge(Page &page, std::uint32_t cpu)
{
    shown_at(page).vcpu_info[cpu].evtchn_upcall_pending = 0;
    shown_at(page).vcpu_info[cpu].evtchn_pending_sel = 0;
}

// While another vCPU moves the page, nobody can know where it is now, or
// whether it is anywhere. So both places are looked at (nothing is in the RAM
// that may be there instead), and a call for which nothing was found has to
// come again. Otherwise it would be this guest that loses events, not the
// machine.
std::uint64_t take_while_moving(std::uint64_t ports, std::uint32_t cpu)
{
    bool may_be_missed = under_way;
    std::uint64_t taken = 0;
    for (Page &page : pages) {
        acknowledge(page, cpu);
        taken |= take_from(page, ports);
    }
    may_be_missed = may_be_missed || under_way;
    if (taken == 0 && may_be_missed) {
        for (Page &page : pages) {
            shown_at(page).vcpu_info[cpu].evtchn_upcall_pending = 1;
        }
    }
    return taken;
}

void show_at(std::size_t place)
{
    const std::intptr_t result = map_shared_info(&pages[place]);
    if (result != 0) {
        fail("mapping shared_info returned ", result);
    }
    here = place;
}

} // namespace

void page_init()
{
    show_at(0);
}

volatile abi::SharedInfo64 &shared_info()
{
    return shown_at(pages[here]);
}

void move_page()
{
    under_way = true;
    show_at(1 - here);
    under_way = false;
}

void expect_moves(bool on)
{
    moving = on;
}

bool moves_expected()
{
    return moving;
}

bool move_under_way()
{
    return under_way;
}

std::uint64_t take(std::uint64_t ports, std::uint32_t cpu)
{
    if (moving) {
        return take_while_moving(ports, cpu);
    }
    acknowledge(pages[here], cpu);
    return take_from(pages[here], ports);
}

} // namespace xovl::guest
