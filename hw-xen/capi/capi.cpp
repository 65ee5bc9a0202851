// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface: translates between xovl.h and the core, and decides
// nothing.
#include "core/overlay.hpp"
#include "core/ports.hpp"
#include "kvm/ioctls.hpp"
#include "kvm/kvm_port.hpp"
#include "xen-overlay/xovl.h"

namespace core = xovl::core;
using xovl::abi::Gpa;
using xovl::abi::VcpuId;

namespace
{

class GlueIoctls final : public xovl::kvm::Ioctls
{
public:
    GlueIoctls(const XovlOps &ops, void *opaque) : ops_(ops), opaque_(opaque) {}

    int vm_ioctl(unsigned long request, void *arg) override
    {
        return ops_.vm_ioctl(opaque_, request, arg);
    }
    int vcpu_ioctl(VcpuId vcpu, unsigned long request, void *arg) override
    {
        return ops_.vcpu_ioctl(opaque_, vcpu.value, request, arg);
    }

private:
    const XovlOps &ops_;
    void *opaque_;
};

class GlueAddressSpace final : public core::AddressSpace
{
public:
    GlueAddressSpace(const XovlOps &ops, void *opaque)
        : ops_(ops), opaque_(opaque)
    {
    }

    core::Status place_page(std::optional<Gpa> gpa) override
    {
        return core::Status::from_errno(
            ops_.place_page(opaque_, gpa ? gpa->value : XOVL_NO_GPA));
    }
    core::Result<core::Pin> pin(Gpa gpa, std::size_t size) override
    {
        XovlPin pin = {};
        const int ret = ops_.pin(opaque_, gpa.value, size, &pin);
        if (ret < 0) {
            return core::Error(ret);
        }
        return core::Pin{pin.host, pin.token};
    }
    void unpin(core::Pin pin) override
    {
        ops_.unpin(opaque_, XovlPin{pin.host, pin.token});
    }

private:
    const XovlOps &ops_;
    void *opaque_;
};

std::optional<Gpa> to_gpa(std::uint64_t gpa)
{
    return gpa == XOVL_NO_GPA ? std::nullopt : std::optional(Gpa{gpa});
}

std::uint64_t from_gpa(std::optional<Gpa> gpa)
{
    return gpa ? gpa->value : XOVL_NO_GPA;
}

int to_errno(const core::Status &status)
{
    return status ? 0 : status.error().value();
}

core::BackendRequest to_request(const XovlConfig &config)
{
    core::BackendRequest request;
    switch (config.shared_info) {
    case XOVL_SHARED_INFO_AUTO:
        break;
    case XOVL_SHARED_INFO_HVA:
        request.shared_info = core::SharedInfoBackend::Hva;
        break;
    case XOVL_SHARED_INFO_GFN:
        request.shared_info = core::SharedInfoBackend::Gfn;
        break;
    }
    switch (config.default_vcpu_info) {
    case XOVL_DEFAULT_VCPU_INFO_AUTO:
        break;
    case XOVL_DEFAULT_VCPU_INFO_KERNEL:
        request.default_vcpu_info = core::DefaultVcpuInfoBackend::Kernel;
        break;
    case XOVL_DEFAULT_VCPU_INFO_HVA:
        request.default_vcpu_info = core::DefaultVcpuInfoBackend::Hva;
        break;
    case XOVL_DEFAULT_VCPU_INFO_GPA:
        request.default_vcpu_info = core::DefaultVcpuInfoBackend::Gpa;
        break;
    }
    return request;
}

} // namespace

struct XovlOverlay {
    XovlOverlay(const XovlConfig &config, const XovlOps &ops, void *opaque)
        : ioctls(ops, opaque), address_space(ops, opaque),
          kvm(ioctls, config.kvm_capabilities),
          overlay(kvm, address_space, config.page, to_request(config))
    {
    }

    GlueIoctls ioctls;
    GlueAddressSpace address_space;
    xovl::kvm::KvmPort kvm;
    core::Overlay overlay;
};

XovlOverlay *xovl_new(const XovlConfig *config, const XovlOps *ops,
                      void *opaque)
{
    return new XovlOverlay(*config, *ops, opaque);
}

void xovl_free(XovlOverlay *overlay)
{
    delete overlay;
}

int xovl_start(XovlOverlay *overlay)
{
    return to_errno(overlay->overlay.start());
}

const char *xovl_refusal(const XovlOverlay *overlay)
{
    return overlay->overlay.refusal();
}

int xovl_attach_vcpu(XovlOverlay *overlay, uint32_t vcpu)
{
    return to_errno(overlay->overlay.attach_vcpu(VcpuId{vcpu}));
}

int xovl_detach_vcpu(XovlOverlay *overlay, uint32_t vcpu)
{
    return to_errno(overlay->overlay.detach_vcpu(VcpuId{vcpu}));
}

int xovl_map(XovlOverlay *overlay, uint64_t gpa)
{
    const auto to = to_gpa(gpa);
    return to_errno(to ? overlay->overlay.map(*to) : overlay->overlay.unmap());
}

int xovl_register_vcpu_info(XovlOverlay *overlay, uint32_t vcpu, uint64_t gpa)
{
    return to_errno(
        overlay->overlay.register_vcpu_info(VcpuId{vcpu}, Gpa{gpa}));
}

int xovl_reset_vcpu(XovlOverlay *overlay, uint32_t vcpu)
{
    return to_errno(overlay->overlay.reset_vcpu(VcpuId{vcpu}));
}

int xovl_restore(XovlOverlay *overlay, uint64_t gpa, bool long_mode)
{
    return to_errno(overlay->overlay.restore(to_gpa(gpa), long_mode));
}

bool xovl_is_long_mode(const XovlOverlay *overlay)
{
    return overlay->overlay.is_long_mode();
}

int xovl_set_long_mode(XovlOverlay *overlay, bool long_mode)
{
    return to_errno(overlay->overlay.set_long_mode(long_mode));
}

int xovl_sync_long_mode(XovlOverlay *overlay)
{
    return to_errno(overlay->overlay.sync_long_mode());
}

int xovl_refresh_wallclock(XovlOverlay *overlay)
{
    return to_errno(overlay->overlay.refresh_wallclock());
}

uint64_t xovl_gpa(const XovlOverlay *overlay)
{
    return from_gpa(overlay->overlay.gpa());
}

XovlSharedInfo xovl_shared_info_backend(const XovlOverlay *overlay)
{
    switch (overlay->overlay.shared_info_backend()) {
    case core::SharedInfoBackend::Hva:
        return XOVL_SHARED_INFO_HVA;
    case core::SharedInfoBackend::Gfn:
        return XOVL_SHARED_INFO_GFN;
    }
    return XOVL_SHARED_INFO_AUTO;
}

XovlDefaultVcpuInfo xovl_default_vcpu_info_backend(const XovlOverlay *overlay)
{
    const auto backend = overlay->overlay.default_vcpu_info_backend();
    if (!backend) {
        return XOVL_DEFAULT_VCPU_INFO_AUTO;
    }
    switch (*backend) {
    case core::DefaultVcpuInfoBackend::Kernel:
        return XOVL_DEFAULT_VCPU_INFO_KERNEL;
    case core::DefaultVcpuInfoBackend::Hva:
        return XOVL_DEFAULT_VCPU_INFO_HVA;
    case core::DefaultVcpuInfoBackend::Gpa:
        return XOVL_DEFAULT_VCPU_INFO_GPA;
    }
    return XOVL_DEFAULT_VCPU_INFO_AUTO;
}

XovlVcpuInfoPlace xovl_vcpu_info(const XovlOverlay *overlay, uint32_t vcpu)
{
    const core::VcpuInfoPlace place = overlay->overlay.vcpu_info(VcpuId{vcpu});
    XovlVcpuInfoSource source = XOVL_VCPU_INFO_NONE;
    switch (place.source) {
    case core::VcpuInfoPlace::Source::None:
        break;
    case core::VcpuInfoPlace::Source::DefaultSlot:
        source = XOVL_VCPU_INFO_DEFAULT_SLOT;
        break;
    case core::VcpuInfoPlace::Source::Registered:
        source = XOVL_VCPU_INFO_REGISTERED;
        break;
    }
    return XovlVcpuInfoPlace{source, from_gpa(place.gpa), place.host};
}

bool xovl_is_broken(const XovlOverlay *overlay)
{
    return overlay->overlay.broken();
}
