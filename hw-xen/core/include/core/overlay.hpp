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
#include <memory>
#include <optional>
#include <vector>

#include "abi/types.hpp"
#include "core/backend.hpp"
#include "core/counted_hypervisor.hpp"
#include "core/frames.hpp"
#include "core/physmap.hpp"
#include "core/pinned_area.hpp"
#include "core/ports.hpp"
#include "core/registration.hpp"
#include "core/result.hpp"
#include "core/vcpu_area.hpp"

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
    std::uint64_t maps;   // times the page came to show at another place
    std::uint64_t unmaps; // times it came to show nowhere
    std::uint64_t shared_info_sets;
    std::uint64_t vcpu_info_sets;
    std::uint64_t registrations; // that took effect, restored ones included
    std::uint64_t rejected;      // requests of the guest's that failed
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

// What the machine is.
struct Machine {
    BackendRequest request;
    GuestFrames frames;
    XenVersion version; // as the guest sees it
};

class Overlay
{
public:
    // `page` is the shared_info page: kPageSize bytes, page aligned, zeroed,
    // there as long as the overlay is.  Calls no port that changes anything.
    Overlay(Hypervisor &hypervisor, AddressSpace &space, Upcalls &upcalls,
            void *page, Machine machine);

    // Chooses the shared_info backend, sets the 64-bit layout, which is what
    // Xen starts with, and hands the page over.  Once, before any vCPU runs.
    // -ENOTSUP: see refusal().
    Status start();

    // A vCPU exists from here on and has nothing set in the hypervisor; tells
    // it of the vCPU's default slot.  -ENOTSUP: see refusal().  -EEXIST.
    Status attach_vcpu(abi::VcpuId vcpu);
    // A vCPU is about to go: leaves nothing set, because the hypervisor may
    // hand the same vCPU out again.  -ENOENT.  On another error it is still
    // attached.
    Status detach_vcpu(abi::VcpuId vcpu);

    // Which of Xen's pages show where; and makes them show as `wanted` says,
    // where each place must be one that place_at() gave.
    [[nodiscard]] const Physmap &physmap() const { return physmap_; }
    Status rearrange(Physmap wanted);
    // One page; nullopt hides it.  -EINVAL: not page aligned; otherwise as
    // place_at() says.
    Status place(Page page, std::optional<abi::Gpa> gpa);
    [[nodiscard]] Result<abi::Gpa> place_at(abi::Gfn gfn) const
    {
        return machine_.frames.place_at(gfn);
    }

    // VCPUOP_register_vcpu_info of `target`, by `caller`.  -ENOENT: no such
    // vCPU; otherwise as registration.hpp says, and -EINVAL where there is no
    // RAM.  When it returns, the place is in use and has all that the guest
    // should know.
    Status register_vcpu_info(abi::VcpuId caller, abi::VcpuId target,
                              abi::Gfn gfn, std::uint32_t offset);
    // What a migration stream says of a vCPU's place: nothing is written
    // there.  -ENOENT, -EINVAL.
    Status restore_vcpu(abi::VcpuId vcpu, abi::Gpa gpa);
    // Back to the default slot.  -ENOENT.
    Status reset_vcpu(abi::VcpuId vcpu);

    // A new life of the machine: the page empty and hidden, the 64-bit
    // layout, every vCPU in its slot, all of it told to the hypervisor anew,
    // since it writes the wallclock and the time when it is told.  Also ends
    // broken(); an error starts it.  The vCPUs must not run.
    Status reset();

    // Takes over what a migration stream says.  The mode goes first: setting
    // it writes the wallclock at the place that the mode says.
    Status restore(std::optional<abi::Gpa> gpa, bool long_mode);

    // The last step of taking over a stream, when all vCPUs are in their
    // places and before one runs.  An event that was being delivered when the
    // guest was saved may have got as far as its bit in shared_info, or the
    // selector; the hypervisor's own note of it is in no stream.  So each vCPU
    // is to look at all that is pending, and is called anew.
    Status recall_events();

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
    [[nodiscard]] std::optional<abi::Gpa> gpa() const
    {
        return physmap_.where(kSharedInfoPage);
    }
    [[nodiscard]] XenVersion version() const { return machine_.version; }
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
    // Counts a request of the guest's that was answered with an error.
    void count_rejected() { ++rejected_; }
    // What the kernel lacks, after start() or attach_vcpu() answered
    // -ENOTSUP; null otherwise.  A literal.
    [[nodiscard]] const char *refusal() const { return refusal_; }

private:
    // A vCPU's own place; nullopt: it uses the default slot.
    using Registration = std::optional<PinnedArea>;

    // See unseen_area().  Aligned, so that it does not cross a page.
    struct alignas(abi::kVcpuInfoSize) Unseen {
        VcpuArea area = unseen_area();
    };

    struct Vcpu {
        Registration registration;
        // Of a vCPU without a slot, where the hypervisor takes it.
        std::unique_ptr<Unseen> unseen;
    };

    // Ends an operation: what it answers, and whether this is broken now.
    Status finish(Transaction &transaction);
    // What the physmap would be with the page there.
    [[nodiscard]] Result<Physmap> with(Page page,
                                       std::optional<abi::Gpa> gpa) const;
    void step_rearrange(Transaction &transaction, const Physmap &wanted);
    void set_physmap(Physmap wanted);
    Status switch_long_mode(bool from, bool to);
    void step_long_mode(Transaction &transaction, bool from, bool to);
    Status put_back_long_mode(bool long_mode);
    Status tell_page();
    Status open_window();
    // Tells the hypervisor of a vCPU's place.
    Status tell_place(abi::VcpuId id, const Vcpu &vcpu,
                      const Registration &registration);
    Status tell_place(abi::VcpuId id, const Vcpu &vcpu)
    {
        return tell_place(id, vcpu, vcpu.registration);
    }
    Status tell_nothing(abi::VcpuId id);
    // Whether the hypervisor is told anything of a vCPU without a place of
    // its own.
    [[nodiscard]] bool is_told(abi::VcpuId id, const Vcpu &vcpu) const;
    Status try_register_vcpu_info(abi::VcpuId caller, abi::VcpuId target,
                                  abi::Gfn gfn, std::uint32_t offset);
    [[nodiscard]] VcpuArea first_content(abi::VcpuId caller,
                                         abi::VcpuId target) const;
    // Where the hypervisor has a vCPU's vcpu_info; null: nowhere.
    [[nodiscard]] const void *area_of(abi::VcpuId id) const;
    // Replaces a vCPU's place, in the hypervisor and here.
    Status replace(abi::VcpuId vcpu, Registration next);
    Status choose_default_backend(abi::VcpuId vcpu);

    CountedHypervisor hypervisor_;
    AddressSpace &space_;
    Upcalls &upcalls_;
    std::byte *page_;
    Machine machine_;
    SharedInfoBackend shared_info_backend_ = SharedInfoBackend::Gfn;
    // These three are found out with the first vCPU.
    std::optional<DefaultVcpuInfoBackend> default_vcpu_info_backend_;
    bool takes_vcpu_info_hva_ = false;
    // Where the page always shows, if the hypervisor goes by that.
    std::optional<abi::Gpa> window_;
    Physmap physmap_;
    // The vCPUs that exist.  Their number is bounded by the hypervisor.
    std::map<abi::VcpuId, Vcpu> vcpus_;
    std::atomic<bool> long_mode_ = false;
    std::atomic<bool> broken_ = false;
    const char *refusal_ = nullptr;
    std::uint64_t maps_ = 0;
    std::uint64_t unmaps_ = 0;
    std::uint64_t registrations_ = 0;
    std::uint64_t rejected_ = 0;
};

} // namespace xovl::core
