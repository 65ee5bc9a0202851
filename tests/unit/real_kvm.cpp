// SPDX-License-Identifier: GPL-2.0-or-later
#include "real_kvm.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

namespace xovl::unit
{

namespace
{

int negative_errno(int ret)
{
    return ret < 0 ? -errno : ret;
}

} // namespace

std::unique_ptr<RealKvm> RealKvm::create(std::string &why)
{
    std::unique_ptr<RealKvm> real(new RealKvm);
    const auto missing = [&why](const char *what) {
        why = std::string(what) + ": " + std::strerror(errno);
        return nullptr;
    };
    real->kvm_ = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (real->kvm_ < 0) {
        return missing("/dev/kvm");
    }
    const int capabilities =
        ioctl(real->kvm_, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
    if (capabilities < 0) {
        return missing("KVM_CHECK_EXTENSION");
    }
    if ((capabilities & KVM_XEN_HVM_CONFIG_SHARED_INFO) == 0) {
        why = "this machine's KVM has no KVM_CAP_XEN_HVM with shared_info "
              "(CONFIG_KVM_XEN)";
        return nullptr;
    }
    real->capabilities_ = static_cast<std::uint32_t>(capabilities);
    real->vm_ = ioctl(real->kvm_, KVM_CREATE_VM, 0);
    if (real->vm_ < 0) {
        return missing("KVM_CREATE_VM");
    }
    // As QEMU with kernel-irqchip=split, which Xen emulation needs there.
    kvm_enable_cap split = {};
    split.cap = KVM_CAP_SPLIT_IRQCHIP;
    split.args[0] = 24;
    if (ioctl(real->vm_, KVM_ENABLE_CAP, &split) < 0) {
        return missing("KVM_CAP_SPLIT_IRQCHIP");
    }
    real->vcpu_ = ioctl(real->vm_, KVM_CREATE_VCPU, 0);
    if (real->vcpu_ < 0) {
        return missing("KVM_CREATE_VCPU");
    }
    return real;
}

RealKvm::~RealKvm()
{
    for (const int fd : {vcpu_, vm_, kvm_}) {
        if (fd >= 0) {
            close(fd);
        }
    }
}

int RealKvm::vm_ioctl(unsigned long request, void *arg)
{
    return negative_errno(ioctl(vm_, request, arg));
}

int RealKvm::vcpu_ioctl(abi::VcpuId vcpu, unsigned long request, void *arg)
{
    if (vcpu.value != 0) {
        return -ENOENT;
    }
    return negative_errno(ioctl(vcpu_, request, arg));
}

} // namespace xovl::unit
