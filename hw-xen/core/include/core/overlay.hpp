// SPDX-License-Identifier: GPL-2.0-or-later
// Overlay: where Xen's shared_info page and each vCPU's vcpu_info are, and
// what the hypervisor was told about it.
//
// shared_info belongs to the hypervisor; the guest chooses where in its
// memory it shows (XENMEM_add_to_physmap, xen/include/public/memory.h).  A
// vCPU's vcpu_info is a slot of that page until the guest registers a place
// of its own (VCPUOP_register_vcpu_info, xen/include/public/vcpu.h).
//
// Failure: an operation that returns an error has changed nothing, or, where
// even taking it back failed, the overlay is broken(): from then on every
// operation answers -EIO, because nobody knows what the hypervisor holds.
//
// Threads: one at a time, under the caller's lock (QEMU's BQL); is_long_mode,
// set_long_mode and sync_long_mode may be called without.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "abi/types.hpp"
#include "core/backend.hpp"
#include "core/counted_hypervisor.hpp"
#include "core/pinned_area.hpp"
#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::core
{

class Transaction;

// Where a vCPU's vcpu_info is.
struct VcpuInfoPlace {
    enum class Source : std::uint8_t { None, DefaultSlot, Registered };

    Source source = Source::None;
    std::optional<abi::Gpa> gpa; // nullopt: not in guest memory now
    void *host = nullptr;        // null for Source::None only
};

// What happened since the overlay was made.
struct Stats {
    std::uint64_t maps;   // that succeeded, restore() included
    std::uint64_t unmaps; // of a page that was mapped
    std::uint64_t shared_info_sets;
    std::uint64_t vcpu_info_sets;
    std::uint64_t registrations; // that took effect, restored ones included
    std::uint64_t rejected;      // maps and registrations that did not
    std::uint64_t hypervisor_errors;
};

// Something that the hypervisor has otherwise than the overlay believes.
struct Difference {
    enum class Attribute : std::uint8_t {
        LongMode,
        SharedInfoGfn,
        SharedInfoHva,
        VcpuInfoGpa,
        VcpuInfoHva,
    };

    Attribute attribute;
    std::optional<abi::VcpuId> vcpu;
    // A frame, an address, 0 or 1; nullopt: none, or the hypervisor did not
    // say, or a host address, which is nobody's business outside.
    std::optional<std::uint64_t> expected;
    std::optional<std::uint64_t> actual;
};

class Overlay
{
public:
    // `page` is the shared_info page: kPageSize bytes, page aligned, zeroed,
    // there as long as the overlay is.  Calls no port that changes anything.
    Overlay(Hypervisor &hypervisor, AddressSpace &space, void *page,
            BackendRequest request);

    // Chooses the shared_info backend, sets the 64-bit layout, which is what
    // Xen starts with, and where the backend is Hva hands the page over.
    // Once, before any vCPU runs.  -ENOTSUP: see refusal().
    Status start();

    // A vCPU exists from here on and has nothing set in the hypervisor; tells
    // it of the vCPU's default slot.  -ENOTSUP: see refusal().  -EEXIST.
    Status attach_vcpu(abi::VcpuId vcpu);
    // A vCPU is about to go: leaves nothing set, because the hypervisor may
    // hand the same vCPU out again.  -ENOENT.  On another error it is still
    // attached.
    Status detach_vcpu(abi::VcpuId vcpu);

    // Shows the page at `gpa` (page aligned, else -EINVAL), or nowhere.
    Status map(abi::Gpa gpa);
    Status unmap();

    // VCPUOP_register_vcpu_info.  -ENOENT: no such vCPU; -EINVAL: crosses a
    // page, or no RAM there.
    Status register_vcpu_info(abi::VcpuId vcpu, abi::Gpa gpa);
    // Back to the default slot.  -ENOENT.
    Status reset_vcpu(abi::VcpuId vcpu);

    // Takes over what a migration stream says.  The mode goes first: setting
    // it writes the wallclock at the place that the mode says.
    Status restore(std::optional<abi::Gpa> gpa, bool long_mode);

    // Whether the guest's shared_info has the 64-bit layout.  The hypervisor
    // may latch it by itself when the guest writes the hypercall MSR.
    [[nodiscard]] bool is_long_mode() const { return long_mode_; }
    Status set_long_mode(bool long_mode);
    Status sync_long_mode();

    // Has the hypervisor write the wallclock anew.  It is relative to the
    // guest's clock, so it must follow whenever that clock was set.
    Status refresh_wallclock();

    // Reads back what the hypervisor has and compares.  Changes nothing.
    std::vector<Difference> verify();

    [[nodiscard]] Stats stats() const;
    [[nodiscard]] const void *page() const { return page_; }
    [[nodiscard]] std::optional<abi::Gpa> gpa() const { return gpa_; }
    [[nodiscard]] SharedInfoBackend shared_info_backend() const
    {
        return shared_info_backend_;
    }
    // nullopt before the first vCPU was attached.
    [[nodiscard]] std::optional<DefaultVcpuInfoBackend>
    default_vcpu_info_backend() const
    {
        return default_vcpu_info_backend_;
    }
    [[nodiscard]] VcpuInfoPlace vcpu_info(abi::VcpuId vcpu) const;
    [[nodiscard]] bool broken() const { return broken_; }
    // What the kernel lacks, after start() or attach_vcpu() answered
    // -ENOTSUP; null otherwise.  A literal.
    [[nodiscard]] const char *refusal() const { return refusal_; }

private:
    // A vCPU's own place; nullopt: it uses the default slot.
    using Registration = std::optional<PinnedArea>;

    // Ends an operation: what it answers, and whether this is broken now.
    Status finish(Transaction &transaction);
    // Makes what a guest asked for count as rejected if it was.
    Status requested(Status status);
    Status move(std::optional<abi::Gpa> to);
    void set_gpa(std::optional<abi::Gpa> gpa);
    void step_move(Transaction &transaction, std::optional<abi::Gpa> to);
    Status switch_long_mode(bool from, bool to);
    void step_long_mode(Transaction &transaction, bool from, bool to);
    Status put_back_long_mode(bool long_mode);
    // Tells the hypervisor of a vCPU's place, with the page at `page_gpa`.
    Status tell_place(abi::VcpuId vcpu, const Registration &registration,
                      std::optional<abi::Gpa> page_gpa);
    Status tell_nothing(abi::VcpuId vcpu);
    // Whether the hypervisor was told anything of a vCPU in its default slot.
    [[nodiscard]] bool default_slot_is_told(abi::VcpuId vcpu) const;
    Status try_register_vcpu_info(abi::VcpuId vcpu, abi::Gpa gpa);
    // Replaces a vCPU's place, in the hypervisor and here.
    Status replace(abi::VcpuId vcpu, Registration next);
    Status choose_default_backend(abi::VcpuId vcpu);

    CountedHypervisor hypervisor_;
    AddressSpace &space_;
    std::byte *page_;
    BackendRequest request_;
    SharedInfoBackend shared_info_backend_ = SharedInfoBackend::Gfn;
    std::optional<DefaultVcpuInfoBackend> default_vcpu_info_backend_;
    std::optional<abi::Gpa> gpa_;
    // The vCPUs that exist.  Their number is bounded by the hypervisor.
    std::map<abi::VcpuId, Registration> vcpus_;
    std::atomic<bool> long_mode_ = false;
    std::atomic<bool> broken_ = false;
    const char *refusal_ = nullptr;
    std::uint64_t maps_ = 0;
    std::uint64_t unmaps_ = 0;
    std::uint64_t registrations_ = 0;
    std::uint64_t rejected_ = 0;
};

} // namespace xovl::core
