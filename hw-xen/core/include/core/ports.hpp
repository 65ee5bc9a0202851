// SPDX-License-Identifier: GPL-2.0-or-later
// The ports: what the core needs from outside, and nothing else of it.
//
// The core owns these interfaces; others implement them (accel/kvm for KVM,
// the C interface for QEMU's address space, tests/fakes for unit tests).  A
// port does one thing, answers with its result and never calls back into the
// core.  All calls come from the thread that called the core, under the lock
// that the core is called under (QEMU's BQL).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "abi/types.hpp"
#include "core/result.hpp"

namespace xovl::core
{

// How the hypervisor finds the shared_info page; it is told once, either way.
enum class SharedInfoBackend : std::uint8_t {
    Hva, // by host address
    Gfn, // by guest frame: that of the window (AddressSpace::open_window)
};

// How the hypervisor finds the vcpu_info of a vCPU that uses its slot in
// shared_info.
enum class DefaultVcpuInfoBackend : std::uint8_t {
    Kernel, // by itself
    Hva,    // by host address
    Gpa,    // by guest address, in the window
};

// The hypervisor's side of Xen emulation.  Each setter replaces what was set
// before.  A setter that fails may have dropped the previous setting, and
// may have kept the new one, to use it should memory appear there (KVM does
// both with -EFAULT).  So a caller has to set again what was before, even if
// that was nothing.
class Hypervisor
{
public:
    Hypervisor() = default;
    Hypervisor(const Hypervisor &) = delete;
    Hypervisor &operator=(const Hypervisor &) = delete;
    virtual ~Hypervisor() = default;

    // Whether shared_info can be given by host address.  No side effect.
    [[nodiscard]] virtual bool has_shared_info_hva() const = 0;
    // Whether a vcpu_info can be given by host address.  Asks the vCPU,
    // because that is the only way to tell; changes nothing.
    virtual Result<bool> has_vcpu_info_hva(abi::VcpuId vcpu) = 0;

    // What a backend takes, for an error message: the capability's name and
    // the release that has it.  A literal.
    [[nodiscard]] virtual const char *
    requirement(SharedInfoBackend backend) const = 0;
    [[nodiscard]] virtual const char *
    requirement(DefaultVcpuInfoBackend backend) const = 0;

    // nullopt, or a null host address: no shared_info.
    virtual Status set_shared_info_gfn(std::optional<abi::Gfn> gfn) = 0;
    virtual Status set_shared_info_hva(void *page) = 0;

    // nullopt: no vcpu_info but, where the hypervisor finds it by itself,
    // the slot in shared_info.
    virtual Status set_vcpu_info_gpa(abi::VcpuId vcpu,
                                     std::optional<abi::Gpa> gpa) = 0;
    virtual Status set_vcpu_info_hva(abi::VcpuId vcpu, void *area) = 0;

    virtual Status set_long_mode(bool long_mode) = 0;
    virtual Result<bool> long_mode() = 0;

    // What is set; nullopt or null: nothing, or set by the other kind of
    // address.
    virtual Result<std::optional<abi::Gfn>> shared_info_gfn() = 0;
    virtual Result<const void *> shared_info_hva() = 0;
    virtual Result<std::optional<abi::Gpa>> vcpu_info_gpa(abi::VcpuId vcpu) = 0;
    virtual Result<const void *> vcpu_info_hva(abi::VcpuId vcpu) = 0;
};

// A piece of guest RAM that stays where it is until it is unpinned.
struct Pin {
    void *host;  // where its first byte is; not null
    void *token; // the port's own business
};

// A page of Xen's own that can show in the guest's memory: shared_info, or
// what the port hands out a token for (a grant table's frame).
struct Page {
    void *token = nullptr;
    // NOLINTNEXTLINE(modernize-use-nullptr): see types.hpp
    friend constexpr auto operator<=>(const Page &, const Page &) = default;
};

inline constexpr Page kSharedInfoPage{};

// The guest's physical address space.
class AddressSpace
{
public:
    AddressSpace() = default;
    AddressSpace(const AddressSpace &) = delete;
    AddressSpace &operator=(const AddressSpace &) = delete;
    virtual ~AddressSpace() = default;

    // Shows the page at `gpa` and nowhere else; nullopt hides it.  No other
    // page of Xen's shows there.  On failure it is still where it was.
    virtual Status place(Page page, std::optional<abi::Gpa> gpa) = 0;

    // Shows shared_info at a place of the port's choice as well, for good:
    // for a hypervisor that finds the page by guest address.  Called again,
    // it answers the same.
    virtual Result<abi::Gpa> open_window() = 0;

    // The grant table's frame with this index.  Error(-EINVAL): none.
    virtual Result<Page> grant_frame(std::uint64_t index) = 0;

    // Error(-EINVAL) where [gpa, gpa + size) is not all RAM of one kind.
    virtual Result<Pin> pin(abi::Gpa gpa, std::size_t size) = 0;
    virtual void unpin(Pin pin) = 0;
};

// The memory of the vCPU that makes a hypercall, by its virtual addresses.
// Error(-EFAULT): not (all) there, and then some of it may have been copied.
class GuestMemory
{
public:
    GuestMemory() = default;
    GuestMemory(const GuestMemory &) = delete;
    GuestMemory &operator=(const GuestMemory &) = delete;
    virtual ~GuestMemory() = default;

    virtual Status copy_in(std::uint64_t gva, void *to, std::size_t size) = 0;
    virtual Status copy_out(std::uint64_t gva, const void *from,
                            std::size_t size) = 0;
};

// The way to a vCPU's attention.
class Upcalls
{
public:
    Upcalls() = default;
    Upcalls(const Upcalls &) = delete;
    Upcalls &operator=(const Upcalls &) = delete;
    virtual ~Upcalls() = default;

    // evtchn_upcall_pending of the vCPU's vcpu_info became 1: has the guest
    // called as it asked to be.
    virtual void inject(abi::VcpuId vcpu) = 0;
};

} // namespace xovl::core
