// SPDX-License-Identifier: GPL-2.0-or-later
// FakeKvm: KVM's Xen attributes, as the generations of KVM have them.
//
// Only what KvmPort uses, and what it takes to see the effects: the ioctls
// KVM_XEN_{HVM,VCPU}_{GET,SET}_ATTR with the types LONG_MODE, SHARED_INFO,
// SHARED_INFO_HVA, VCPU_INFO, VCPU_INFO_HVA; KVM_SET_USER_MEMORY_REGION; and
// of what KVM writes, the wallclock's version.  Everything claimed here is
// asked of a real KVM by unit/kvm_contract_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <vector>

#include "abi/types.hpp"
#include "fakes/faults.hpp"
#include "kvm/ioctls.hpp"

struct kvm_userspace_memory_region;
struct kvm_xen_hvm_attr;
struct kvm_xen_vcpu_attr;

namespace xovl::fakes
{

enum class Generation : std::uint8_t {
    Gfn,    // Linux 5.12 to 6.8: no host addresses
    Hva,    // Linux 6.9 on
    Newest, // as Hva, but a vcpu_info must be aligned to 32 bits (7.3 has it)
    Kernel, // never released: SHARED_INFO_HVA, but no VCPU_INFO_HVA
};

// An attribute ioctl, as it reached KVM.
struct AttrCall {
    unsigned long request;
    std::optional<abi::VcpuId> vcpu; // nullopt: the VM's
    std::uint16_t type;
    std::uint64_t value; // for a GET: what the caller had left in it
    // The rest of the structure, which KVM wants zero.
    bool clean;
    friend bool operator==(const AttrCall &, const AttrCall &) = default;
};

std::ostream &operator<<(std::ostream &out, const AttrCall &call);

class FakeKvm final : public kvm::Ioctls
{
public:
    FakeKvm(Generation generation, Faults &faults)
        : generation_(generation), faults_(faults)
    {
    }

    // KVM_CHECK_EXTENSION(KVM_CAP_XEN_HVM).
    [[nodiscard]] std::uint32_t capabilities() const;
    void add_vcpu(abi::VcpuId vcpu) { vcpus_[vcpu] = {}; }

    [[nodiscard]] const std::vector<AttrCall> &calls() const { return calls_; }
    void forget_calls() { calls_.clear(); }

    int vm_ioctl(unsigned long request, void *arg) override;
    int vcpu_ioctl(abi::VcpuId vcpu, unsigned long request, void *arg) override;

private:
    // KVM's gfn_to_pfn_cache, one for shared_info and one for each vcpu_info:
    // both kinds of address share it, so the last one set wins.
    struct Cache {
        bool active = false;
        bool by_host = false;
        std::uint64_t address = 0;
    };
    struct Memslot {
        std::uint64_t gpa;
        std::uint64_t size;
        std::uint64_t host;
        bool read_only;
    };

    int set_memslot(const kvm_userspace_memory_region &region);
    int set(const kvm_xen_hvm_attr &attr);
    int get(kvm_xen_hvm_attr &attr) const;
    int set(Cache &cache, const kvm_xen_vcpu_attr &attr);
    int get(const Cache &cache, kvm_xen_vcpu_attr &attr) const;

    [[nodiscard]] bool has_vcpu_info_hva() const;
    int activate_vcpu_info(Cache &cache, bool by_host, std::uint64_t address);
    int activate(Cache &cache, bool by_host, std::uint64_t address,
                 std::size_t size);
    // Where it leads to, if that can be written.
    [[nodiscard]] std::byte *resolve(const Cache &cache,
                                     std::size_t size) const;
    [[nodiscard]] int write_wallclock() const;

    Generation generation_;
    Faults &faults_;
    bool long_mode_ = false;
    Cache shared_info_;
    std::map<abi::VcpuId, Cache> vcpus_;
    std::map<std::uint32_t, Memslot> memslots_;
    std::vector<AttrCall> calls_;
    // The failure that the running ioctl is to end with.
    std::optional<int> injected_;
};

} // namespace xovl::fakes
