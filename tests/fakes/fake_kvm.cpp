// SPDX-License-Identifier: GPL-2.0-or-later
#include "fakes/fake_kvm.hpp"

#include <cerrno>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "abi/layout.hpp"

namespace xovl::fakes
{

namespace
{

// The end of user addresses, with four levels of page tables.
constexpr std::uint64_t kUserEnd = (std::uint64_t{1} << 47) - abi::kPageSize;

// access_ok(): looks at the number only.
bool is_user_address(std::uint64_t address, std::size_t size)
{
    return address <= kUserEnd - size;
}

// Asks the kernel, by having it read the first byte and write it back: both
// are -EFAULT where KVM's get_user_pages() would be.  System calls by number,
// because sanitizers have their own view of such addresses.
bool is_writable(std::uint64_t address)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    const bool writable = syscall(SYS_write, ends[1], address, 1) == 1 &&
                          syscall(SYS_read, ends[0], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return writable;
}

// Whether everything but type and value is zero.
template <typename Attr>
bool is_clean(const Attr &attr)
{
    Attr expected = {};
    expected.type = attr.type;
    std::memcpy(&expected.u, &attr.u, sizeof(std::uint64_t));
    return std::memcmp(&attr, &expected, sizeof(attr)) == 0;
}

// All the values in question begin where the union does.
template <typename Attr>
AttrCall record(unsigned long request, std::optional<abi::VcpuId> vcpu,
                const Attr &attr)
{
    std::uint64_t value = 0;
    std::memcpy(&value, &attr.u, sizeof(value));
    return {request, vcpu, attr.type, value, is_clean(attr)};
}

} // namespace

std::ostream &operator<<(std::ostream &out, const AttrCall &call)
{
    const bool set = call.request == KVM_XEN_HVM_SET_ATTR ||
                     call.request == KVM_XEN_VCPU_SET_ATTR;
    if (call.vcpu) {
        out << "vcpu " << call.vcpu->value << ' ';
    }
    return out << (set ? "SET" : "GET") << " type " << call.type << " value 0x"
               << std::hex << call.value << std::dec
               << (call.clean ? "" : ", rest not zero");
}

std::uint32_t FakeKvm::capabilities() const
{
    const std::uint32_t old =
        KVM_XEN_HVM_CONFIG_HYPERCALL_MSR | KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL |
        KVM_XEN_HVM_CONFIG_SHARED_INFO | KVM_XEN_HVM_CONFIG_RUNSTATE;
    return generation_ == Generation::Gfn
               ? old
               : old | KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA;
}

int FakeKvm::vm_ioctl(unsigned long request, void *arg)
{
    if (request == KVM_SET_USER_MEMORY_REGION) {
        return set_memslot(
            *static_cast<const kvm_userspace_memory_region *>(arg));
    }
    if (request != KVM_XEN_HVM_SET_ATTR && request != KVM_XEN_HVM_GET_ATTR) {
        return -ENOTTY;
    }
    auto &attr = *static_cast<kvm_xen_hvm_attr *>(arg);
    calls_.push_back(record(request, std::nullopt, attr));
    injected_ = faults_.next();
    if (injected_ && *injected_ != -EFAULT) {
        return *injected_;
    }
    const int ret = request == KVM_XEN_HVM_SET_ATTR ? set(attr) : get(attr);
    return injected_.value_or(ret);
}

int FakeKvm::vcpu_ioctl(abi::VcpuId vcpu, unsigned long request, void *arg)
{
    const auto it = vcpus_.find(vcpu);
    if (it == vcpus_.end()) {
        return -ENOENT;
    }
    if (request != KVM_XEN_VCPU_SET_ATTR && request != KVM_XEN_VCPU_GET_ATTR) {
        return -EINVAL;
    }
    auto &attr = *static_cast<kvm_xen_vcpu_attr *>(arg);
    calls_.push_back(record(request, vcpu, attr));
    injected_ = faults_.next();
    if (injected_ && *injected_ != -EFAULT) {
        return *injected_;
    }
    const int ret = request == KVM_XEN_VCPU_SET_ATTR ? set(it->second, attr)
                                                     : get(it->second, attr);
    return injected_.value_or(ret);
}

int FakeKvm::set_memslot(const kvm_userspace_memory_region &region)
{
    if (region.memory_size == 0) {
        return memslots_.erase(region.slot) != 0 ? 0 : -EINVAL;
    }
    memslots_[region.slot] = {region.guest_phys_addr, region.memory_size,
                              region.userspace_addr,
                              (region.flags & KVM_MEM_READONLY) != 0};
    return 0;
}

int FakeKvm::set(const kvm_xen_hvm_attr &attr)
{
    int ret = 0;
    switch (attr.type) {
    case KVM_XEN_ATTR_TYPE_LONG_MODE:
        // Before anything that can fail.
        long_mode_ = attr.u.long_mode != 0;
        return shared_info_.active && generation_ != Generation::Gfn
                   ? write_wallclock()
                   : 0;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO:
        if (attr.u.shared_info.gfn == KVM_XEN_INVALID_GFN) {
            shared_info_.active = false;
            return 0;
        }
        // The shift drops the upper bits.
        ret =
            activate(shared_info_, false,
                     attr.u.shared_info.gfn << abi::kPageShift, abi::kPageSize);
        break;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA:
        if (generation_ == Generation::Gfn) {
            return -ENOENT;
        }
        if (attr.u.shared_info.hva % abi::kPageSize != 0) {
            return -EINVAL;
        }
        if (attr.u.shared_info.hva == 0) {
            shared_info_.active = false;
            return 0;
        }
        ret = activate(shared_info_, true, attr.u.shared_info.hva,
                       abi::kPageSize);
        break;
    default:
        return -ENOENT;
    }
    return ret != 0 ? ret : write_wallclock();
}

int FakeKvm::get(kvm_xen_hvm_attr &attr) const
{
    const Cache &cache = shared_info_;
    switch (attr.type) {
    case KVM_XEN_ATTR_TYPE_LONG_MODE:
        attr.u.long_mode = long_mode_ ? 1 : 0;
        return 0;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO:
        attr.u.shared_info.gfn = cache.active && !cache.by_host
                                     ? cache.address >> abi::kPageShift
                                     : KVM_XEN_INVALID_GFN;
        return 0;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA:
        if (generation_ == Generation::Gfn) {
            return -ENOENT;
        }
        attr.u.shared_info.hva =
            cache.active && cache.by_host ? cache.address : 0;
        return 0;
    default:
        return -ENOENT;
    }
}

int FakeKvm::set(Cache &cache, const kvm_xen_vcpu_attr &attr)
{
    switch (attr.type) {
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO:
        if (attr.u.gpa == KVM_XEN_INVALID_GPA) {
            cache.active = false;
            return 0;
        }
        return activate_vcpu_info(cache, false, attr.u.gpa);
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA:
        if (!has_vcpu_info_hva()) {
            return -ENOENT;
        }
        if (attr.u.hva == 0) {
            cache.active = false;
            return 0;
        }
        return activate_vcpu_info(cache, true, attr.u.hva);
    default:
        return -ENOENT;
    }
}

int FakeKvm::get(const Cache &cache, kvm_xen_vcpu_attr &attr) const
{
    switch (attr.type) {
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO:
        attr.u.gpa = cache.active && !cache.by_host ? cache.address
                                                    : KVM_XEN_INVALID_GPA;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA:
        if (!has_vcpu_info_hva()) {
            return -ENOENT;
        }
        attr.u.hva = cache.active && cache.by_host ? cache.address : 0;
        return 0;
    default:
        return -ENOENT;
    }
}

bool FakeKvm::has_vcpu_info_hva() const
{
    return generation_ == Generation::Hva || generation_ == Generation::Newest;
}

int FakeKvm::activate_vcpu_info(Cache &cache, bool by_host,
                                std::uint64_t address)
{
    if (generation_ == Generation::Newest &&
        address % sizeof(std::uint32_t) != 0) {
        return -ENXIO;
    }
    const bool was_active = cache.active;
    const int ret = activate(cache, by_host, address, abi::kVcpuInfoSize);
    if (ret != 0 && !was_active && generation_ == Generation::Kernel) {
        // The vCPU goes on with its slot in shared_info.
        cache.active = false;
    }
    return ret;
}

int FakeKvm::activate(Cache &cache, bool by_host, std::uint64_t address,
                      std::size_t size)
{
    if (by_host && !is_user_address(address, size)) {
        return -EINVAL;
    }
    if (address % abi::kPageSize + size > abi::kPageSize) {
        // 6.1 takes up again what was given up.
        cache.active = cache.active || generation_ == Generation::Gfn;
        return -EINVAL;
    }
    // From here on the old address is gone, whatever comes of the new one.
    cache = {true, by_host, address};
    return resolve(cache, size) != nullptr ? 0 : -EFAULT;
}

std::byte *FakeKvm::resolve(const Cache &cache, std::size_t size) const
{
    if (injected_) {
        return nullptr;
    }
    std::uint64_t host = cache.address;
    if (!cache.by_host) {
        host = 0;
        for (const auto &[number, slot] : memslots_) {
            if (cache.address >= slot.gpa &&
                cache.address - slot.gpa + size <= slot.size &&
                !slot.read_only) {
                host = slot.host + (cache.address - slot.gpa);
            }
        }
    }
    if (host == 0 || !is_writable(host)) {
        return nullptr;
    }
    return reinterpret_cast<std::byte *>(host);
}

int FakeKvm::write_wallclock() const
{
    std::byte *page = resolve(shared_info_, abi::kPageSize);
    if (page == nullptr) {
        return -EFAULT;
    }
    const std::size_t offset = long_mode_
                                   ? offsetof(abi::SharedInfo64, wc_version)
                                   : offsetof(abi::SharedInfo32, wc_version);
    std::uint32_t version = 0;
    std::memcpy(&version, page + offset, sizeof(version));
    // Odd while writing, even after; what was odd stays so for the while.
    version = ((version + 1) | 1) + 1;
    std::memcpy(page + offset, &version, sizeof(version));
    return 0;
}

} // namespace xovl::fakes
