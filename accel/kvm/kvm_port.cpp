// SPDX-License-Identifier: GPL-2.0-or-later
#include "kvm/kvm_port.hpp"

#include <cerrno>

#include <linux/kvm.h>

namespace xovl::kvm
{

using abi::Gfn;
using abi::Gpa;
using abi::VcpuId;
using core::Error;
using core::Result;
using core::Status;

namespace
{

std::uint64_t address(void *pointer)
{
    return reinterpret_cast<std::uintptr_t>(pointer);
}

const void *pointer(std::uint64_t address)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): that is how KVM says it
    return reinterpret_cast<const void *>(std::uintptr_t{address});
}

Status set(Ioctls &ioctls, kvm_xen_hvm_attr attr)
{
    return Status::from_errno(ioctls.vm_ioctl(KVM_XEN_HVM_SET_ATTR, &attr));
}

Status set(Ioctls &ioctls, VcpuId vcpu, kvm_xen_vcpu_attr attr)
{
    return Status::from_errno(
        ioctls.vcpu_ioctl(vcpu, KVM_XEN_VCPU_SET_ATTR, &attr));
}

Result<kvm_xen_hvm_attr> get(Ioctls &ioctls, std::uint16_t type)
{
    kvm_xen_hvm_attr attr = {};
    attr.type = type;
    const int ret = ioctls.vm_ioctl(KVM_XEN_HVM_GET_ATTR, &attr);
    if (ret < 0) {
        return Error(ret);
    }
    return attr;
}

Result<kvm_xen_vcpu_attr> get(Ioctls &ioctls, VcpuId vcpu, std::uint16_t type)
{
    kvm_xen_vcpu_attr attr = {};
    attr.type = type;
    const int ret = ioctls.vcpu_ioctl(vcpu, KVM_XEN_VCPU_GET_ATTR, &attr);
    if (ret < 0) {
        return Error(ret);
    }
    return attr;
}

} // namespace

bool KvmPort::has_shared_info_hva() const
{
    return (capabilities_ & KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA) != 0;
}

Result<bool> KvmPort::has_vcpu_info_hva(VcpuId vcpu)
{
    // Reading it is enough: a kernel answers -ENOENT for a type it does not
    // know.
    const auto attr = get(ioctls_, vcpu, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA);
    if (!attr && attr.error() != Error(-ENOENT)) {
        return attr.error();
    }
    return attr.has_value();
}

const char *KvmPort::requirement(core::SharedInfoBackend backend) const
{
    switch (backend) {
    case core::SharedInfoBackend::Hva:
        return "KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA (Linux 6.9 or newer)";
    case core::SharedInfoBackend::Gfn:
        return "KVM_XEN_HVM_CONFIG_SHARED_INFO (Linux 5.12 or newer)";
    }
    return "";
}

const char *KvmPort::requirement(core::DefaultVcpuInfoBackend backend) const
{
    switch (backend) {
    case core::DefaultVcpuInfoBackend::Kernel:
        return "a KVM that finds the default vcpu_info by itself: "
               "KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA without "
               "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA (no Linux release "
               "does)";
    case core::DefaultVcpuInfoBackend::Hva:
        return "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA (Linux 6.9 or newer)";
    case core::DefaultVcpuInfoBackend::Gpa:
        return "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO (Linux 5.12 or newer)";
    }
    return "";
}

Status KvmPort::set_shared_info_gfn(std::optional<Gfn> gfn)
{
    kvm_xen_hvm_attr attr = {};
    attr.type = KVM_XEN_ATTR_TYPE_SHARED_INFO;
    attr.u.shared_info.gfn = gfn ? gfn->value : KVM_XEN_INVALID_GFN;
    return set(ioctls_, attr);
}

Status KvmPort::set_shared_info_hva(void *page)
{
    kvm_xen_hvm_attr attr = {};
    attr.type = KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA;
    attr.u.shared_info.hva = address(page);
    return set(ioctls_, attr);
}

Status KvmPort::set_vcpu_info_gpa(VcpuId vcpu, std::optional<Gpa> gpa)
{
    kvm_xen_vcpu_attr attr = {};
    attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO;
    attr.u.gpa = gpa ? gpa->value : KVM_XEN_INVALID_GPA;
    return set(ioctls_, vcpu, attr);
}

Status KvmPort::set_vcpu_info_hva(VcpuId vcpu, void *area)
{
    kvm_xen_vcpu_attr attr = {};
    attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA;
    attr.u.hva = address(area);
    return set(ioctls_, vcpu, attr);
}

Status KvmPort::set_long_mode(bool long_mode)
{
    kvm_xen_hvm_attr attr = {};
    attr.type = KVM_XEN_ATTR_TYPE_LONG_MODE;
    attr.u.long_mode = long_mode ? 1 : 0;
    const Status done = set(ioctls_, attr);
    if (!done || has_shared_info_hva()) {
        return done;
    }
    // Before 6.9 the wallclock is written with the page alone: so set that
    // once more, to where it is.
    const Result<std::optional<Gfn>> gfn = shared_info_gfn();
    if (!gfn) {
        return gfn.error();
    }
    return *gfn ? set_shared_info_gfn(*gfn) : done;
}

Result<bool> KvmPort::long_mode()
{
    const auto attr = get(ioctls_, KVM_XEN_ATTR_TYPE_LONG_MODE);
    if (!attr) {
        return attr.error();
    }
    return attr->u.long_mode != 0;
}

Result<std::optional<Gfn>> KvmPort::shared_info_gfn()
{
    const auto attr = get(ioctls_, KVM_XEN_ATTR_TYPE_SHARED_INFO);
    if (!attr) {
        return attr.error();
    }
    const std::uint64_t gfn = attr->u.shared_info.gfn;
    return gfn == KVM_XEN_INVALID_GFN ? std::nullopt : std::optional(Gfn{gfn});
}

Result<const void *> KvmPort::shared_info_hva()
{
    if (!has_shared_info_hva()) {
        return nullptr;
    }
    const auto attr = get(ioctls_, KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA);
    if (!attr) {
        return attr.error();
    }
    return pointer(attr->u.shared_info.hva);
}

Result<std::optional<Gpa>> KvmPort::vcpu_info_gpa(VcpuId vcpu)
{
    const auto attr = get(ioctls_, vcpu, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO);
    if (!attr) {
        return attr.error();
    }
    const std::uint64_t gpa = attr->u.gpa;
    return gpa == KVM_XEN_INVALID_GPA ? std::nullopt : std::optional(Gpa{gpa});
}

Result<const void *> KvmPort::vcpu_info_hva(VcpuId vcpu)
{
    const auto attr = get(ioctls_, vcpu, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA);
    if (!attr) {
        // A kernel that does not know the attribute has none set.
        if (attr.error() == Error(-ENOENT)) {
            return nullptr;
        }
        return attr.error();
    }
    return pointer(attr->u.hva);
}

} // namespace xovl::kvm
