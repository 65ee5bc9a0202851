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

// How the hypervisor finds the shared_info page.
enum class SharedInfoBackend : std::uint8_t {
    Hva, // by host address, told once
    Gfn, // by guest frame, told at every map
};

// How the hypervisor finds the vcpu_info of a vCPU that uses its slot in
// shared_info.
enum class DefaultVcpuInfoBackend : std::uint8_t {
    Kernel, // by itself
    Hva,    // by host address, told once per vCPU
    Gpa,    // by guest address, told at every map
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

// The guest's physical address space.
class AddressSpace
{
public:
    AddressSpace() = default;
    AddressSpace(const AddressSpace &) = delete;
    AddressSpace &operator=(const AddressSpace &) = delete;
    virtual ~AddressSpace() = default;

    // Shows the shared_info page at `gpa` and nowhere else; nullopt hides
    // it.  On failure it is still where it was.
    virtual Status place_page(std::optional<abi::Gpa> gpa) = 0;

    // Error(-EINVAL) where [gpa, gpa + size) is not all RAM of one kind.
    virtual Result<Pin> pin(abi::Gpa gpa, std::size_t size) = 0;
    virtual void unpin(Pin pin) = 0;
};

} // namespace xovl::core
