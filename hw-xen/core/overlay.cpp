// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/overlay.hpp"

#include <cerrno>
#include <utility>

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

Overlay::Overlay(Hypervisor &hypervisor, AddressSpace &space, void *page,
                 BackendRequest request)
    : hypervisor_(hypervisor), space_(space),
      page_(static_cast<std::byte *>(page)), request_(request)
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
    const auto backend = choose_shared_info(hypervisor_, request_.shared_info);
    if (!backend) {
        refusal_ = hypervisor_.requirement(*request_.shared_info);
        return backend.error();
    }
    const Result<bool> mode = hypervisor_.long_mode();
    if (!mode) {
        return mode.error();
    }
    Transaction transaction;
    // Xen's default, until the guest says otherwise; KVM's is 32-bit.  First,
    // as the wallclock is written at once: where the 32-bit layout has it,
    // the 64-bit one has pending bits, of ports from 2048 on.
    step_long_mode(transaction, *mode, true);
    if (*backend == SharedInfoBackend::Hva) {
        transaction.step(
            [&] { return hypervisor_.set_shared_info_hva(page_); },
            [&] { return hypervisor_.set_shared_info_hva(nullptr); });
    }
    const Status done = finish(transaction);
    if (done) {
        shared_info_backend_ = *backend;
        long_mode_ = true;
    }
    return done;
}

Status Overlay::choose_default_backend(VcpuId vcpu)
{
    if (default_vcpu_info_backend_) {
        return {};
    }
    const auto backend = choose_default_vcpu_info(
        hypervisor_, vcpu, shared_info_backend_, request_.default_vcpu_info);
    if (!backend) {
        if (backend.error() == Error(-ENOTSUP)) {
            refusal_ = hypervisor_.requirement(*request_.default_vcpu_info);
        }
        return backend.error();
    }
    default_vcpu_info_backend_ = *backend;
    return {};
}

bool Overlay::default_slot_is_told(VcpuId vcpu) const
{
    if (!abi::default_slot_offset(vcpu)) {
        return false;
    }
    switch (*default_vcpu_info_backend_) {
    case DefaultVcpuInfoBackend::Kernel:
        return false;
    case DefaultVcpuInfoBackend::Hva:
        return true;
    case DefaultVcpuInfoBackend::Gpa:
        return gpa_.has_value();
    }
    return false;
}

Status Overlay::tell_nothing(VcpuId vcpu)
{
    // Either kind of "nothing" ends both kinds of place; this one is known
    // to every kernel.
    return hypervisor_.set_vcpu_info_gpa(vcpu, std::nullopt);
}

Status Overlay::tell_place(VcpuId vcpu, const Registration &registration,
                           std::optional<Gpa> page_gpa)
{
    // A place of the guest's own is told by guest address: it is guest RAM,
    // and what backs that may change.
    if (registration) {
        return hypervisor_.set_vcpu_info_gpa(vcpu, registration->gpa());
    }
    const auto offset = abi::default_slot_offset(vcpu);
    if (offset && default_vcpu_info_backend_ == DefaultVcpuInfoBackend::Hva) {
        return hypervisor_.set_vcpu_info_hva(vcpu, page_ + *offset);
    }
    if (default_vcpu_info_backend_ == DefaultVcpuInfoBackend::Gpa) {
        return hypervisor_.set_vcpu_info_gpa(vcpu, slot_gpa(vcpu, page_gpa));
    }
    return tell_nothing(vcpu);
}

Status Overlay::attach_vcpu(VcpuId vcpu)
{
    if (broken_) {
        return Error(-EIO);
    }
    if (vcpus_.contains(vcpu)) {
        return Error(-EEXIST);
    }
    const auto chosen_before = default_vcpu_info_backend_;
    if (const Status chosen = choose_default_backend(vcpu); !chosen) {
        return chosen;
    }
    Transaction transaction;
    if (default_slot_is_told(vcpu)) {
        transaction.step([&] { return tell_place(vcpu, {}, gpa_); },
                         [&] { return tell_nothing(vcpu); });
    }
    const Status done = finish(transaction);
    if (done) {
        vcpus_.emplace(vcpu, std::nullopt);
    } else {
        default_vcpu_info_backend_ = chosen_before;
    }
    return done;
}

Status Overlay::detach_vcpu(VcpuId vcpu)
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto it = vcpus_.find(vcpu);
    if (it == vcpus_.end()) {
        return Error(-ENOENT);
    }
    Transaction transaction;
    if (it->second || default_slot_is_told(vcpu)) {
        transaction.step([&] { return tell_nothing(vcpu); },
                         [&] { return tell_place(vcpu, it->second, gpa_); });
    }
    const Status done = finish(transaction);
    if (done) {
        vcpus_.erase(it);
    }
    return done;
}

Status Overlay::requested(Status status)
{
    if (!status) {
        ++rejected_;
    }
    return status;
}

Status Overlay::map(Gpa gpa)
{
    if (broken_) {
        return requested(Error(-EIO));
    }
    if (abi::offset_in_page(gpa) != 0) {
        return requested(Error(-EINVAL));
    }
    return requested(move(gpa));
}

Status Overlay::unmap()
{
    return move(std::nullopt);
}

Status Overlay::move(std::optional<Gpa> to)
{
    if (broken_) {
        return Error(-EIO);
    }
    Transaction transaction;
    step_move(transaction, to);
    const Status done = finish(transaction);
    if (done) {
        set_gpa(to);
    }
    return done;
}

void Overlay::set_gpa(std::optional<Gpa> gpa)
{
    if (gpa) {
        ++maps_;
    } else if (gpa_) {
        ++unmaps_;
    }
    gpa_ = gpa;
}

void Overlay::step_move(Transaction &transaction, std::optional<Gpa> to)
{
    // By value in all steps: undoing comes after this has returned.
    const std::optional<Gpa> from = gpa_;
    const bool tell_page = shared_info_backend_ == SharedInfoBackend::Gfn;
    const auto set_page = [this](std::optional<Gpa> gpa) {
        return hypervisor_.set_shared_info_gfn(
            gpa ? std::optional(abi::frame_of(*gpa)) : std::nullopt);
    };
    // While the page is between two places, the old guest address is RAM
    // again: a hypervisor that goes by guest addresses would write events
    // and time into it.  So it is told of nothing before the page moves.
    // An event sent meanwhile stays in the hypervisor (vcpu_info) or is lost
    // (shared_info); by host address neither step is there.
    const auto tell_slots = [&](std::optional<Gpa> before,
                                std::optional<Gpa> after) {
        if (default_vcpu_info_backend_ != DefaultVcpuInfoBackend::Gpa) {
            return;
        }
        for (const auto &[vcpu, registration] : vcpus_) {
            if (registration || !abi::default_slot_offset(vcpu)) {
                continue;
            }
            transaction.step(
                [this, id = vcpu, after] { return tell_place(id, {}, after); },
                [this, id = vcpu, before] {
                    return tell_place(id, {}, before);
                });
        }
    };

    if (from) {
        tell_slots(from, std::nullopt);
        if (tell_page) {
            transaction.step([=] { return set_page(std::nullopt); },
                             [=] { return set_page(from); });
        }
    }
    transaction.step([=, this] { return space_.place_page(to); },
                     [=, this] { return space_.place_page(from); });
    if (to) {
        if (tell_page) {
            transaction.step([=] { return set_page(to); },
                             [=] { return set_page(std::nullopt); });
        }
        tell_slots(std::nullopt, to);
    }
}

Status Overlay::replace(VcpuId vcpu, Registration next)
{
    if (broken_) {
        return Error(-EIO);
    }
    const auto it = vcpus_.find(vcpu);
    if (it == vcpus_.end()) {
        return Error(-ENOENT);
    }
    Transaction transaction;
    transaction.step([&] { return tell_place(vcpu, next, gpa_); },
                     [&] { return tell_place(vcpu, it->second, gpa_); });
    const Status done = finish(transaction);
    if (done) {
        // Swapped, not assigned: the old place is let go of only now that
        // the hypervisor no longer has it.
        std::swap(it->second, next);
    }
    return done;
}

Status Overlay::register_vcpu_info(VcpuId vcpu, Gpa gpa)
{
    const Status done = requested(try_register_vcpu_info(vcpu, gpa));
    if (done) {
        ++registrations_;
    }
    return done;
}

Status Overlay::try_register_vcpu_info(VcpuId vcpu, Gpa gpa)
{
    if (broken_) {
        return Error(-EIO);
    }
    if (!vcpus_.contains(vcpu)) {
        return Error(-ENOENT);
    }
    if (abi::offset_in_page(gpa) > abi::kPageSize - abi::kVcpuInfoSize) {
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
    if (!broken_ && it != vcpus_.end() && !it->second) {
        return {};
    }
    return replace(vcpu, std::nullopt);
}

Status Overlay::restore(std::optional<Gpa> gpa, bool long_mode)
{
    if (broken_) {
        return Error(-EIO);
    }
    if (gpa && abi::offset_in_page(*gpa) != 0) {
        return Error(-EINVAL);
    }
    const Result<bool> before = hypervisor_.long_mode();
    if (!before) {
        return before.error();
    }
    Transaction transaction;
    step_long_mode(transaction, *before, long_mode);
    step_move(transaction, gpa);
    const Status done = finish(transaction);
    if (done) {
        long_mode_ = long_mode;
        set_gpa(gpa);
    }
    return done;
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
    if (it->second) {
        return {Source::Registered, it->second->gpa(), it->second->host()};
    }
    if (const auto offset = abi::default_slot_offset(vcpu)) {
        return {Source::DefaultSlot, slot_gpa(vcpu, gpa_), page_ + *offset};
    }
    return {};
}

} // namespace xovl::core
