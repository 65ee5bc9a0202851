// SPDX-License-Identifier: GPL-2.0-or-later
// C-01 to C-13, C-17, C-18: where shared_info shows.
//
// In Xen: xen/common/memory.c (do_memory_op, xenmem_add_to_physmap,
// xenmem_add_to_physmap_batch) and xen/arch/x86/mm/p2m.c
// (xenmem_add_to_physmap_one).
#include "abi/hypercall.hpp"
#include "event_channel.hpp"
#include "items.hpp"
#include "shared_info.hpp"
#include "start_info.hpp"
#include "state.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::intptr_t kEnoent = -2;
constexpr std::intptr_t kEsrch = -3;
constexpr std::intptr_t kEinval = -22;
constexpr std::intptr_t kEopnotsupp = -95;

constexpr Word kMark = 0x6d61726b;
constexpr Word kPamFrame = 0xd0;

// No domain has so high an id: they end at DOMID_FIRST_RESERVED.
constexpr std::uint16_t kNoDomain = 0x7fef;

std::intptr_t map_frame(Word frame)
{
    return add_to_physmap(abi::XENMAPSPACE_shared_info, 0, frame);
}

// A mark that only the page itself can carry from one check to the next.
Word plant()
{
    static Word number;
    const Word mark = kMark + ++number;
    info_page().words[kMarkWord] = mark;
    return mark;
}

bool shows(Item &item, const char *what, const Page &page, Word mark)
{
    return item.equal_bits(what, page.words[kMarkWord], mark);
}

// What was refused has changed nothing; and the next map works.
bool still_home(Item &item, Word mark)
{
    return shows(item, "the mark at home", home, mark) &&
           event_arrives(item, this_cpu(), *vcpu_info(this_cpu())) &&
           item.equal("mapping at home again", map_at(home), 0) &&
           shows(item, "the mark at home, mapped again", home, mark);
}

// Maps at `page`, where an event must then be seen, and goes home.
void goes_there_and_back(Item &item, Page &page)
{
    const Word mark = plant();
    if (!item.equal("mapping there", map_at(page), 0)) {
        return;
    }
    shows(item, "the mark there", page, mark);
    event_arrives(item, this_cpu(), *vcpu_info(this_cpu()));
    item.equal("mapping at home again", map_at(home), 0);
    shows(item, "the mark at home", home, mark);
}

} // namespace

// C-01. xenmem_add_to_physmap_one: the page replaces whatever RAM is there, as
// ordinary memory of the guest (p2m_ram_rw).
void map_in_ram(Item &item)
{
    if (!set_up(item) || !item.equal("mapping at A", map_at(page_a), 0)) {
        return;
    }
    for (const Word value : {kAllOnes, Word{0}, kMark}) {
        page_a.words[kMarkWord] = value;
        shows(item, "a word that was written", page_a, value);
    }
    (void)at_home(item);
}

// C-02. XENMAPSPACE_shared_info has one page, of index 0: -EINVAL comes before
// anything is changed.
void bad_index(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    item.equal("mapping index 1",
               add_to_physmap(abi::XENMAPSPACE_shared_info, 1, page_a.frame()),
               kEinval);
    still_home(item, mark);
}

// C-03. INVALID_GFN is refused first of all from 4.17 on (ef0f94a48f). Before,
// as for any frame that is too wide, the old mapping is gone by the time the
// new one fails. A 32-bit guest's ~0 is zero-extended, and so another frame:
// one that a wide enough p2m can have.
void invalid_gfn(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    const std::intptr_t result = map_frame(kAllOnes);
    const bool refused_first =
        sizeof(Word) == 8 && xen_version() >= xen_release(4, 17);
    if (refused_first) {
        item.equal("mapping at ~0", result, kEinval);
        still_home(item, mark);
        return;
    }
    if (sizeof(Word) == 8) {
        item.negative("mapping at ~0", result);
    }
    item.equal("mapping at home after it", map_at(home), 0);
    still_home(item, mark);
}

// C-04. ept_set_entry answers -EINVAL, p2m_next_level (NPT, shadow) -ENOENT,
// for a frame that the tables are too narrow for. On Xen the old mapping is
// gone then; a VMM may keep it. The page itself is never lost.
void gfn_too_wide(Item &item)
{
    if (sizeof(Word) == 4) {
        item.skip("a 32-bit guest cannot name such a frame");
        return;
    }
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    for (const unsigned shift : {51U, 45U}) {
        item.negative("mapping at 2^51 or 2^45",
                      map_frame(static_cast<Word>(std::uint64_t{1} << shift)));
        item.equal("mapping at home after it", map_at(home), 0);
    }
    still_home(item, mark);
}

// C-05. The frame is compared with the tables' width before it is made an
// address, so that 2^52 + n is not n.
void gfn_truncated(Item &item)
{
    if (sizeof(Word) == 4) {
        item.skip("a 32-bit guest cannot name such a frame");
        return;
    }
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    const Word frame =
        static_cast<Word>((std::uint64_t{1} << 52) + page_a.frame());
    item.negative("mapping at 2^52 + A", map_frame(frame));
    item.that("A does not show the page", page_a.words[kMarkWord] != mark);
    item.equal("mapping at home after it", map_at(home), 0);
    still_home(item, mark);
}

// C-06. There is one page, and it moves: nothing is copied or cleared.
void content_moves(Item &item)
{
    if (!set_up(item) || !item.equal("mapping at A", map_at(page_a), 0)) {
        return;
    }
    const Word mark = plant();
    if (item.equal("mapping at B", map_at(page_b), 0)) {
        shows(item, "the mark at B", page_b, mark);
    }
    (void)at_home(item);
}

// C-07. The entry of the old frame is removed (step 2 of
// xenmem_add_to_physmap_one): a hole, that reads as ones. A VMM that brings
// back the RAM that was there is right as well; what may not be is the page.
void old_place_is_left(Item &item)
{
    if (!set_up(item) || !item.equal("mapping at A", map_at(page_a), 0) ||
        !item.equal("mapping at B", map_at(page_b), 0)) {
        return;
    }
    const Word mark = plant();
    page_a.words[kMarkWord] = mark + 1;
    shows(item, "the mark at B after a write to A", page_b, mark);

    Word before[kPageWords];
    for (std::size_t i = 0; i < kPageWords; ++i) {
        before[i] = page_a.words[i];
    }
    event_arrives(item, this_cpu(), *vcpu_info(this_cpu()));
    for (std::size_t i = 0; i < kPageWords; ++i) {
        item.equal_bits("a word of A after an event", page_a.words[i],
                        before[i]);
    }
    const bool hole = before[0] == kAllOnes;
    (void)at_home(item);
    item.pass(hole ? "left behind: a hole" : "left behind: RAM");
}

// C-08. The entry is removed and made again: nothing to be seen.
void same_place_again(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    item.equal("mapping at home again", map_at(home), 0);
    item.equal("and again", map_at(home), 0);
    still_home(item, mark);
}

// C-09. A frame shows what was mapped there last: Xen unhooks a page of its own
// that it finds there. Neither page gets anything of the other.
void grant_frame_same_place(Item &item)
{
    static Page grant;
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    item.equal("mapping at A", map_at(page_a), 0);
    const std::intptr_t granted =
        add_to_physmap(abi::XENMAPSPACE_grant_table, 0, page_a.frame());
    if (!item.equal("grant frame 0 at A", granted, 0)) {
        (void)at_home(item);
        return;
    }
    Word before[kPageWords];
    for (std::size_t i = 0; i < kPageWords; ++i) {
        before[i] = page_a.words[i];
    }
    item.that("A shows the grant frame", before[kMarkWord] != mark);

    if (item.equal("shared_info at A over it", map_at(page_a), 0)) {
        shows(item, "the mark at A", page_a, mark);
        event_arrives(item, this_cpu(), *vcpu_info(this_cpu()));
    }
    item.equal("grant frame 0 elsewhere",
               add_to_physmap(abi::XENMAPSPACE_grant_table, 0, grant.frame()),
               0);
    for (std::size_t i = 0; i < kPageWords; ++i) {
        item.equal_bits("a word of the grant frame", grant.words[i], before[i]);
    }
    shows(item, "the mark at A in the end", page_a, mark);
    (void)at_home(item);
}

// C-10. The p2m has no opinion on what a frame was: a hole will do.
void map_in_hole(Item &item)
{
    if (set_up(item)) {
        goes_there_and_back(
            item, page_at(static_cast<Word>(memory_hole() >> abi::kPageShift)));
    }
}

// C-11. Nor does it know of the chipset's shadowing between 0xc0000 and
// 0xfffff (PAM), which a VMM may have in the way.
void map_in_pam(Item &item)
{
    if (set_up(item)) {
        goes_there_and_back(item, page_at(kPamFrame));
    }
}

// C-12. XENMEM_remove_from_physmap: -ENOENT where there is no page. The page
// lives on, and so do its content and what arrives in it.
void remove(Item &item)
{
    if (!set_up(item) || !item.equal("mapping at A", map_at(page_a), 0)) {
        return;
    }
    const Word mark = plant();
    if (item.equal("removing", unmap(), 0)) {
        item.that("it does not show any more", page_a.words[kMarkWord] != mark);
        item.equal("removing again", remove_from_physmap(page_a.frame()),
                   kEnoent);
    }
    item.equal("mapping at B", map_at(page_b), 0);
    shows(item, "the mark at B", page_b, mark);
    (void)at_home(item);
}

// C-13. Xen writes to d->shared_info, its own mapping, whether or not the guest
// has one (evtchn_2l_set_pending).
void event_while_unmapped(Item &item)
{
    const FirstSight &sight = first_sight;
    if (sight.early_port > 0) {
        item.equal("EVTCHNOP_send before the first map", sight.early_sent, 0);
        item.that("it is pending after the first map", sight.early_pending);
    } else {
        item.equal("EVTCHNOP_bind_ipi before the first map", sight.early_port,
                   1);
    }
    if (!set_up(item)) {
        return;
    }
    const Port port(this_cpu());
    if (!port.bound(item)) {
        return;
    }
    quiet(this_cpu());
    if (item.equal("removing", unmap(), 0)) {
        item.equal("EVTCHNOP_send while it is away", send(port.number()), 0);
        item.equal("mapping at home again", map_at(home), 0);
        item.that("it is pending then", port.pending());
    }
    (void)at_home(item);
    quiet(this_cpu());
}

// C-17. Each item has an answer of its own in errs[]; the call's is 0.
void batch(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const Word mark = plant();
    const Word idxs[] = {0, 1};
    const Word gpfns[] = {page_a.frame(), page_b.frame()};
    volatile std::int32_t errs[] = {77, 77};
    abi::xen_add_to_physmap_batch<Word> argument{
        .domid = abi::DOMID_SELF,
        .space = abi::XENMAPSPACE_shared_info,
        .size = 2,
        .extra = 0,
        .idxs = reinterpret_cast<Word>(idxs),
        .gpfns = reinterpret_cast<Word>(gpfns),
        .errs = reinterpret_cast<Word>(errs),
    };
    item.equal("the call",
               hypercall(abi::HYPERVISOR_memory_op,
                         abi::XENMEM_add_to_physmap_batch,
                         address_of(argument)),
               0);
    item.equal("errs[0]", errs[0], 0);
    item.equal("errs[1]", errs[1], kEinval);
    shows(item, "the mark at A", page_a, mark);
    argument.size = 0;
    item.equal("the call of size 0",
               hypercall(abi::HYPERVISOR_memory_op,
                         abi::XENMEM_add_to_physmap_batch,
                         address_of(argument)),
               0);
    item.equal("mapping at home again", map_at(home), 0);
}

// C-18. XENMAPSPACE_gmfn_range is for the call that is not a batch; and a
// domain that does not exist is -ESRCH.
void batch_refusals(Item &item)
{
    if (!set_up(item)) {
        return;
    }
    const Word idx = 0;
    const Word gpfn = page_a.frame();
    volatile std::int32_t err = 77;
    abi::xen_add_to_physmap_batch<Word> argument{
        .domid = abi::DOMID_SELF,
        .space = abi::XENMAPSPACE_gmfn_range,
        .size = 1,
        .extra = 0,
        .idxs = address_of(idx),
        .gpfns = address_of(gpfn),
        .errs = address_of(err),
    };
    const auto call = [&argument] {
        return hypercall(abi::HYPERVISOR_memory_op,
                         abi::XENMEM_add_to_physmap_batch,
                         address_of(argument));
    };
    item.equal("a batch of gmfn_range", call(), kEopnotsupp);
    argument.space = abi::XENMAPSPACE_shared_info;
    argument.domid = kNoDomain;
    item.equal("a batch of a domain that is not there", call(), kEsrch);
    item.equal("errs[0]", err, 77);
    still_home(item, plant());
}

} // namespace xovl::guest
