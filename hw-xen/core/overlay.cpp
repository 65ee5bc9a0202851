// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/overlay.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "abi/layout.hpp"
#include "core/snapshot.hpp"
#include "core/transaction.hpp"

namespace xovl::core
{

using abi::Gpa;
using abi::VcpuId;

namespace
{

// The guest address of a vCPU's slot in a page at `page_gpa`.
std::optional<Gpa> slot_gpa(VcpuId vcpu, std::optional<Gpa> page_gpa)
{
    const auto offset = abi::default_slot_offset(vcpu);
    if (!page_gpa || !offset) {
        return std::nullopt;
    }
    return Gpa{page_gpa->value + *offset};
}

} // namespace

Overlay::Overlay(Hypervisor &hypervisor, AddressSpace &space, Upcalls &upcalls,
                 void *page, Machine machine)
    : hypervisor_(hypervisor), space_(space), upcalls_(upcalls),
      page_(static_cast<std::byte *>(page)), machine_(std::move(machine))
{
}

Status Overlay::finish(Transaction &transaction)
{
    switch (transaction.finish()) {
    case Transaction::Outcome::Done:
        return {};
    case Transaction::Outcome::Broken:
        broken_ = true;
        break;
    case Transaction::Outcome::RolledBack:
        break;
    }
    return transaction.error();
}

Status Overlay::start()
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto requested = machine_.request.shared_info;
    const auto backend = choose_shared_info(hypervisor_, requested);
    if (!backend) {
        refusal_ = hypervisor_.requirement(*requested);
        return backend.error();
    }
    const Result<bool> mode = hypervisor_.long_mode();
    if (!mode) {
        return mode.error();
    }
    if (*backend == SharedInfoBackend::Gfn) {
        if (const Status open = open_window(); !open) {
            return open;
        }
    }
    const SharedInfoBackend before =
        std::exchange(shared_info_backend_, *backend);
    Transaction transaction;
    // Xen's default, until the guest says otherwise; KVM's is 32-bit.  First,
    // as the wallclock is written at once: where the 32-bit layout has it,
    // the 64-bit one has pending bits, of ports from 2048 on.
    step_long_mode(transaction, *mode, true);
    transaction.step([&] { return tell_page(); },
                     [&] { return hypervisor_.set_shared_info_gfn({}); });
    const Status done = finish(transaction);
    if (done) {
        long_mode_ = true;
    } else {
        shared_info_backend_ = before;
    }
    return done;
}

Status Overlay::open_window()
{
    const Result<Gpa> window = space_.open_window();
    if (!window) {
        return window.error();
    }
    window_ = *window;
    return {};
}

Status Overlay::tell_page()
{
    return shared_info_backend_ == SharedInfoBackend::Hva
               ? hypervisor_.set_shared_info_hva(page_)
               : hypervisor_.set_shared_info_gfn(abi::frame_of(*window_));
}

Status Overlay::choose_default_backend(VcpuId vcpu)
{
    if (default_vcpu_info_backend_) {
        return {};
    }
    const Result<bool> has_hva = hypervisor_.has_vcpu_info_hva(vcpu);
    if (!has_hva) {
        return has_hva.error();
    }
    const auto requested = machine_.request.default_vcpu_info;
    const auto backend = choose_default_vcpu_info(
        hypervisor_, *has_hva, shared_info_backend_, requested);
    if (!backend) {
        refusal_ = hypervisor_.requirement(*requested);
        return backend.error();
    }
    if (*backend == DefaultVcpuInfoBackend::Gpa && !window_) {
        if (const Status open = open_window(); !open) {
            return open;
        }
    }
    takes_vcpu_info_hva_ = *has_hva;
    default_vcpu_info_backend_ = *backend;
    return {};
}

bool Overlay::is_told(VcpuId id, const Vcpu &vcpu) const
{
    if (!abi::default_slot_offset(id)) {
        return vcpu.unseen != nullptr;
    }
    return default_vcpu_info_backend_ != DefaultVcpuInfoBackend::Kernel;
}

Status Overlay::tell_nothing(VcpuId id)
{
    // Either kind of "nothing" ends both kinds of place; this one is known
    // to every kernel.
    return hypervisor_.set_vcpu_info_gpa(id, std::nullopt);
}

Status Overlay::tell_place(VcpuId id, const Vcpu &vcpu,
                           const Registration &registration)
{
    // A place of the guest's own is told by guest address: it is guest RAM,
    // and what backs that may change.
    if (registration) {
        return hypervisor_.set_vcpu_info_gpa(id, registration->gpa());
    }
    if (!is_told(id, vcpu)) {
        return tell_nothing(id);
    }
    const auto offset = abi::default_slot_offset(id);
    if (!offset) {
        return hypervisor_.set_vcpu_info_hva(id, &vcpu.unseen->area);
    }
    if (default_vcpu_info_backend_ == DefaultVcpuInfoBackend::Hva) {
        return hypervisor_.set_vcpu_info_hva(id, page_ + *offset);
    }
    return hypervisor_.set_vcpu_info_gpa(id, slot_gpa(id, window_));
}

Status Overlay::attach_vcpu(VcpuId id)
{
    if (broken_) {
        return Error(-EIO);
    }
    if (vcpus_.contains(id)) {
        return Error(-EEXIST);
    }
    const auto chosen_before = default_vcpu_info_backend_;
    if (const Status chosen = choose_default_backend(id); !chosen) {
        return chosen;
    }
    Vcpu vcpu;
    if (!abi::default_slot_offset(id) && takes_vcpu_info_hva_) {
        vcpu.unseen = std::make_unique<Unseen>();
    }
    Transaction transaction;
    if (is_told(id, vcpu)) {
        transaction.step([&] { return tell_place(id, vcpu); },
                         [&] { return tell_nothing(id); });
    }
    const Status done = finish(transaction);
    if (done) {
        vcpus_.emplace(id, std::move(vcpu));
    } else {
        default_vcpu_info_backend_ = chosen_before;
    }
    return done;
}

Status Overlay::detach_vcpu(VcpuId id)
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto it = vcpus_.find(id);
    if (it == vcpus_.end()) {
        return Error(-ENOENT);
    }
    const Vcpu &vcpu = it->second;
    Transaction transaction;
    if (vcpu.registration || is_told(id, vcpu)) {
        transaction.step([&] { return tell_nothing(id); },
                         [&] { return tell_place(id, vcpu); });
    }
    const Status done = finish(transaction);
    if (done) {
        vcpus_.erase(it);
    }
    return done;
}

Status Overlay::rearrange(Physmap wanted)
{
    if (broken_) {
        return Error(-EIO);
    }
    // Guests change the mode by the hypercall MSR, then map the page and read
    // the wallclock there.
    if (wanted.where(kSharedInfoPage) && !hypervisor_.has_shared_info_hva()) {
        if (const Status synced = sync_long_mode(); !synced) {
            return synced;
        }
    }
    Transaction transaction;
    step_rearrange(transaction, wanted);
    const Status done = finish(transaction);
    if (done) {
        set_physmap(std::move(wanted));
    }
    return done;
}

Result<Physmap> Overlay::with(Page page, std::optional<Gpa> gpa) const
{
    Physmap wanted = physmap_;
    wanted.remove(page);
    if (gpa) {
        if (abi::offset_in_page(*gpa) != 0) {
            return Error(-EINVAL);
        }
        const Result<Gpa> place = place_at(abi::frame_of(*gpa));
        if (!place) {
            return place.error();
        }
        wanted.put(page, *place);
    }
    return wanted;
}

Status Overlay::place(Page page, std::optional<Gpa> gpa)
{
    if (broken_) {
        return Error(-EIO);
    }
    Result<Physmap> wanted = with(page, gpa);
    return wanted ? rearrange(std::move(*wanted)) : wanted.error();
}

void Overlay::step_rearrange(Transaction &transaction, const Physmap &wanted)
{
    const auto step = [&](Page page, std::optional<Gpa> from,
                          std::optional<Gpa> to) {
        transaction.step([=, this] { return space_.place(page, to); },
                         [=, this] { return space_.place(page, from); });
    };
    // First whatever goes, or stands where another page is to show; then
    // each page that moves does so in one step, as Xen's never loses its
    // place in between.
    const auto goes_first = [&](Page page, Gpa from) {
        const std::optional<Gpa> to = wanted.where(page);
        return to != from && (!to || wanted.at(from));
    };
    for (const auto &[page, from] : physmap_.places()) {
        if (goes_first(page, from)) {
            step(page, from, std::nullopt);
        }
    }
    for (const auto &[page, to] : wanted.places()) {
        std::optional<Gpa> from = physmap_.where(page);
        if (from != to) {
            if (from && goes_first(page, *from)) {
                from.reset();
            }
            step(page, from, to);
        }
    }
}

void Overlay::set_physmap(Physmap wanted)
{
    if (wanted.where(kSharedInfoPage)) {
        maps_ += wanted.where(kSharedInfoPage) != gpa() ? 1 : 0;
    } else if (gpa()) {
        ++unmaps_;
    }
    physmap_ = std::move(wanted);
}

Status Overlay::replace(VcpuId id, Registration next)
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto it = vcpus_.find(id);
    if (it == vcpus_.end()) {
        return Error(-ENOENT);
    }
    Vcpu &vcpu = it->second;
    Transaction transaction;
    transaction.step([&] { return tell_place(id, vcpu, next); },
                     [&] { return tell_place(id, vcpu); });
    const Status done = finish(transaction);
    if (done) {
        // Swapped, not assigned: the old place is let go of only now that
        // the hypervisor no longer has it.
        std::swap(vcpu.registration, next);
    }
    return done;
}

Status Overlay::register_vcpu_info(VcpuId caller, VcpuId target, abi::Gfn gfn,
                                   std::uint32_t offset)
{
    const Status done = try_register_vcpu_info(caller, target, gfn, offset);
    if (done) {
        ++registrations_;
    } else {
        ++rejected_;
    }
    return done;
}

Status Overlay::try_register_vcpu_info(VcpuId caller, VcpuId target,
                                       abi::Gfn gfn, std::uint32_t offset)
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto it = vcpus_.find(target);
    if (it == vcpus_.end()) {
        return Error(-ENOENT);
    }
    Vcpu &vcpu = it->second;
    // The guest may have changed it since, by the hypercall MSR.
    if (const Status synced = sync_long_mode(); !synced) {
        return synced;
    }
    const Result<Gpa> gpa =
        registration_place(machine_.version, {gfn, offset, long_mode_,
                                              vcpu.registration.has_value()});
    if (!gpa) {
        return gpa.error();
    }
    Result<PinnedArea> area =
        PinnedArea::create(space_, *gpa, abi::kVcpuInfoSize);
    if (!area) {
        return area.error();
    }
    Registration next(std::move(*area));

    // The hypervisor is told in one step, so that there is no moment without a
    // place, in which it would refuse events.  What it writes to the old place
    // until then is the time, and marks of words that have news; neither is
    // missed in the new one, where all words are marked below.
    Transaction transaction;
    const VcpuArea before = read_area(next->host());
    transaction.step(
        [&] {
            write_area(next->host(), first_content(caller, target));
            return Status();
        },
        [&] {
            write_area(next->host(), before);
            return Status();
        });
    transaction.step([&] { return tell_place(target, vcpu, next); },
                     [&] { return tell_place(target, vcpu); });
    const Status done = finish(transaction);
    if (done) {
        std::swap(vcpu.registration, next);
        const bool news =
            mark_all_pending(vcpu.registration->host(), long_mode_);
        // Another vCPU was running until it was told.  It may have answered in
        // the old place the call that its new one has a copy of.
        if (news || caller != target) {
            upcalls_.inject(target);
        }
    }
    return done;
}

const void *Overlay::area_of(VcpuId id) const
{
    const auto it = vcpus_.find(id);
    if (it != vcpus_.end() && it->second.unseen && !it->second.registration) {
        return &it->second.unseen->area;
    }
    return vcpu_info(id).host;
}

VcpuArea Overlay::first_content(VcpuId caller, VcpuId target) const
{
    const void *slot = vcpu_info(target).host;
    VcpuArea content = slot != nullptr ? read_area(slot) : fresh_area();
    // The hypervisor writes the time when the vCPU runs next; one that has
    // not been started does not for a while, and then a guest that looks has
    // nothing, or what a former life left.  All vCPUs have one clock, so the
    // caller's time is right, and so is anybody else's.
    if (const void *area = area_of(caller);
        area == nullptr || !take_time(content, area)) {
        for (const auto &[id, vcpu] : vcpus_) {
            const void *other = area_of(id);
            if (other != nullptr && take_time(content, other)) {
                break;
            }
        }
    }
    return content;
}

Status Overlay::restore_vcpu(VcpuId vcpu, Gpa gpa)
{
    if (broken_) {
        return Error(-EIO);
    }
    if (!vcpus_.contains(vcpu)) {
        return Error(-ENOENT);
    }
    if (abi::offset_in_page(gpa) > abi::kPageSize - abi::kVcpuInfoSize ||
        gpa.value % alignof(abi::VcpuInfo32) != 0) {
        return Error(-EINVAL);
    }
    Result<PinnedArea> area =
        PinnedArea::create(space_, gpa, abi::kVcpuInfoSize);
    if (!area) {
        return area.error();
    }
    return replace(vcpu, std::move(*area));
}

Status Overlay::reset_vcpu(VcpuId vcpu)
{
    const auto it = vcpus_.find(vcpu);
    if (!broken_ && it != vcpus_.end() && !it->second.registration) {
        return {};
    }
    return replace(vcpu, std::nullopt);
}

Status Overlay::reset()
{
    Status result;
    const auto keep = [&](Status status) {
        if (!status && result) {
            result = status;
        }
    };
    broken_ = false;
    keep(place(kSharedInfoPage, std::nullopt));
    std::memset(page_, 0, abi::kPageSize);
    keep(hypervisor_.set_long_mode(true));
    long_mode_ = true;
    keep(tell_page());
    for (auto &[id, vcpu] : vcpus_) {
        Registration none;
        if (vcpu.unseen) {
            vcpu.unseen->area = unseen_area();
        }
        if (vcpu.registration || is_told(id, vcpu)) {
            keep(tell_place(id, vcpu, none));
        }
        std::swap(vcpu.registration, none);
    }
    broken_ = !result;
    return result;
}

Status Overlay::restore(std::optional<Gpa> gpa, bool long_mode)
{
    if (broken_) {
        return Error(-EIO);
    }
    Result<Physmap> wanted = with(kSharedInfoPage, gpa);
    if (!wanted) {
        return wanted.error();
    }
    const Result<bool> before = hypervisor_.long_mode();
    if (!before) {
        return before.error();
    }
    Transaction transaction;
    step_long_mode(transaction, *before, long_mode);
    step_rearrange(transaction, *wanted);
    const Status done = finish(transaction);
    if (done) {
        long_mode_ = long_mode;
        set_physmap(std::move(*wanted));
    }
    return done;
}

Status Overlay::recall_events()
{
    if (broken_) {
        return Error(-EIO);
    }
    const std::uint64_t words = words_with_news(page_, long_mode_);
    for (const auto &[id, vcpu] : vcpus_) {
        void *area = vcpu_info(id).host;
        if (area != nullptr && mark_pending(area, long_mode_, words)) {
            upcalls_.inject(id);
        }
    }
    return {};
}

void Overlay::step_long_mode(Transaction &transaction, bool from, bool to)
{
    transaction.step([=, this] { return hypervisor_.set_long_mode(to); },
                     [=, this] { return put_back_long_mode(from); });
}

Status Overlay::put_back_long_mode(bool long_mode)
{
    // KVM takes the mode before it writes the wallclock, and it is the
    // writing that can fail, here again: so what counts is the mode it says
    // it has.
    (void)hypervisor_.set_long_mode(long_mode);
    const Result<bool> now = hypervisor_.long_mode();
    if (!now) {
        return now.error();
    }
    return *now == long_mode ? Status() : Error(-EIO);
}

Status Overlay::set_long_mode(bool long_mode)
{
    if (broken_) {
        return Error(-EIO);
    }
    // Asked, not remembered: the guest may have changed it since.
    const Result<bool> before = hypervisor_.long_mode();
    if (!before) {
        return before.error();
    }
    return switch_long_mode(*before, long_mode);
}

Status Overlay::switch_long_mode(bool from, bool to)
{
    Transaction transaction;
    step_long_mode(transaction, from, to);
    const Status done = finish(transaction);
    if (done) {
        long_mode_ = to;
    }
    return done;
}

Status Overlay::sync_long_mode()
{
    if (broken_) {
        return Error(-EIO);
    }
    const Result<bool> long_mode = hypervisor_.long_mode();
    if (!long_mode) {
        return long_mode.error();
    }
    // A hypervisor that does not know host addresses has not written the
    // wallclock where this mode has it.
    if (*long_mode != long_mode_ && !hypervisor_.has_shared_info_hva()) {
        return switch_long_mode(*long_mode, *long_mode);
    }
    long_mode_ = *long_mode;
    return {};
}

Status Overlay::refresh_wallclock()
{
    if (broken_) {
        return Error(-EIO);
    }
    // Setting the mode, even to what it is, has KVM write the wallclock; it
    // costs no new mapping of the page.
    const Result<bool> mode = hypervisor_.long_mode();
    if (!mode) {
        return mode.error();
    }
    return switch_long_mode(*mode, *mode);
}

Stats Overlay::stats() const
{
    return {
        .maps = maps_,
        .unmaps = unmaps_,
        .shared_info_sets = hypervisor_.shared_info_sets(),
        .vcpu_info_sets = hypervisor_.vcpu_info_sets(),
        .registrations = registrations_,
        .rejected = rejected_,
        .hypervisor_errors = hypervisor_.errors(),
    };
}

VcpuInfoPlace Overlay::vcpu_info(VcpuId vcpu) const
{
    using Source = VcpuInfoPlace::Source;
    const auto it = vcpus_.find(vcpu);
    if (it == vcpus_.end()) {
        return {};
    }
    if (const Registration &registration = it->second.registration) {
        return {Source::Registered, registration->gpa(), registration->host()};
    }
    if (const auto offset = abi::default_slot_offset(vcpu)) {
        return {Source::DefaultSlot, slot_gpa(vcpu, gpa()), page_ + *offset};
    }
    return {};
}

} // namespace xovl::core
