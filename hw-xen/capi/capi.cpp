// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface: translates between xovl.h and the core, and decides
// nothing.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/memory_op.hpp"
#include "core/overlay.hpp"
#include "core/ports.hpp"
#include "core/snapshot.hpp"
#include "kvm/ioctls.hpp"
#include "kvm/kvm_port.hpp"
#include "xen-overlay/xovl.h"

namespace core = xovl::core;
using xovl::abi::Gfn;
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

    core::Status place(core::Page page, std::optional<Gpa> gpa) override
    {
        return core::Status::from_errno(
            ops_.place(opaque_, page.token, gpa ? gpa->value : XOVL_NO_GPA));
    }
    core::Result<Gpa> open_window() override
    {
        std::uint64_t gpa = XOVL_NO_GPA;
        const int ret = ops_.open_window(opaque_, &gpa);
        if (ret < 0) {
            return core::Error(ret);
        }
        return Gpa{gpa};
    }
    core::Result<core::Page> grant_frame(std::uint64_t index) override
    {
        core::Page page;
        const int ret = ops_.grant_frame(opaque_, index, &page.token);
        if (ret < 0) {
            return core::Error(ret);
        }
        return page;
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

class GlueGuestMemory final : public core::GuestMemory
{
public:
    GlueGuestMemory(const XovlOps &ops, void *opaque, void *caller)
        : ops_(ops), opaque_(opaque), caller_(caller)
    {
    }

    core::Status copy_in(std::uint64_t gva, void *to, std::size_t size) override
    {
        return core::Status::from_errno(
            ops_.copy_in(opaque_, caller_, gva, to, size));
    }
    core::Status copy_out(std::uint64_t gva, const void *from,
                          std::size_t size) override
    {
        return core::Status::from_errno(
            ops_.copy_out(opaque_, caller_, gva, from, size));
    }

private:
    const XovlOps &ops_;
    void *opaque_;
    void *caller_;
};

class GlueUpcalls final : public core::Upcalls
{
public:
    GlueUpcalls(const XovlOps &ops, void *opaque) : ops_(ops), opaque_(opaque)
    {
    }

    void inject(VcpuId vcpu) override
    {
        ops_.inject_upcall(opaque_, vcpu.value);
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

core::Machine to_machine(const XovlConfig &config)
{
    core::GuestFrames frames{config.address_bits, {}};
    for (std::size_t n = 0; n < config.taken_count; ++n) {
        const XovlFrameRange &range = config.taken[n];
        frames.taken.push_back({Gfn{range.first}, Gfn{range.end}});
    }
    return {to_request(config), std::move(frames),
            core::XenVersion{config.xen_version}};
}

XovlAttribute to_attribute(core::Difference::Attribute attribute)
{
    using Attribute = core::Difference::Attribute;
    switch (attribute) {
    case Attribute::LongMode:
        return XOVL_ATTRIBUTE_LONG_MODE;
    case Attribute::SharedInfoGfn:
        return XOVL_ATTRIBUTE_SHARED_INFO_GFN;
    case Attribute::SharedInfoHva:
        return XOVL_ATTRIBUTE_SHARED_INFO_HVA;
    case Attribute::VcpuInfoGpa:
        return XOVL_ATTRIBUTE_VCPU_INFO_GPA;
    case Attribute::VcpuInfoHva:
        return XOVL_ATTRIBUTE_VCPU_INFO_HVA;
    }
    return XOVL_ATTRIBUTE_LONG_MODE;
}

} // namespace

struct XovlOverlay {
    XovlOverlay(const XovlConfig &config, const XovlOps &glue_ops,
                void *glue_opaque)
        : ops(glue_ops), opaque(glue_opaque), ioctls(ops, opaque),
          address_space(ops, opaque), upcalls(ops, opaque),
          kvm(ioctls, config.kvm_capabilities),
          overlay(kvm, address_space, upcalls, config.page, to_machine(config))
    {
    }

    const XovlOps &ops;
    void *opaque;
    GlueIoctls ioctls;
    GlueAddressSpace address_space;
    GlueUpcalls upcalls;
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

bool xovl_is_memory_op(uint64_t command)
{
    return core::is_memory_op(command);
}

bool xovl_memory_op(XovlOverlay *overlay, void *caller, uint16_t domid,
                    bool long_mode, uint64_t command, uint64_t argument,
                    int *answer)
{
    GlueGuestMemory memory(overlay->ops, overlay->opaque, caller);
    const auto status =
        core::memory_op(overlay->overlay, overlay->address_space,
                        {memory, domid, long_mode}, command, argument);
    if (status) {
        *answer = to_errno(*status);
    }
    return status.has_value();
}

int xovl_place(XovlOverlay *overlay, XovlPage page, uint64_t gpa)
{
    return to_errno(overlay->overlay.place(core::Page{page}, to_gpa(gpa)));
}

int xovl_register_vcpu_info(XovlOverlay *overlay, uint32_t caller,
                            uint32_t target, uint64_t gfn, uint32_t offset)
{
    return to_errno(overlay->overlay.register_vcpu_info(
        VcpuId{caller}, VcpuId{target}, Gfn{gfn}, offset));
}

int xovl_restore_vcpu(XovlOverlay *overlay, uint32_t vcpu, uint64_t gpa)
{
    return to_errno(overlay->overlay.restore_vcpu(VcpuId{vcpu}, Gpa{gpa}));
}

int xovl_reset(XovlOverlay *overlay)
{
    return to_errno(overlay->overlay.reset());
}

int xovl_reset_vcpu(XovlOverlay *overlay, uint32_t vcpu)
{
    return to_errno(overlay->overlay.reset_vcpu(VcpuId{vcpu}));
}

int xovl_restore(XovlOverlay *overlay, uint64_t gpa, bool long_mode)
{
    return to_errno(overlay->overlay.restore(to_gpa(gpa), long_mode));
}

int xovl_recall_events(XovlOverlay *overlay)
{
    return to_errno(overlay->overlay.recall_events());
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

XovlStats xovl_stats(const XovlOverlay *overlay)
{
    const core::Stats stats = overlay->overlay.stats();
    return {
        .maps = stats.maps,
        .unmaps = stats.unmaps,
        .shared_info_sets = stats.shared_info_sets,
        .vcpu_info_sets = stats.vcpu_info_sets,
        .registrations = stats.registrations,
        .rejected = stats.rejected,
        .kvm_errors = stats.hypervisor_errors,
    };
}

void xovl_verify(XovlOverlay *overlay,
                 void (*found)(void *opaque, const XovlDifference *difference),
                 void *opaque)
{
    for (const core::Difference &difference : overlay->overlay.verify()) {
        const XovlDifference result = {
            .attribute = to_attribute(difference.attribute),
            .has_vcpu = difference.vcpu.has_value(),
            .vcpu = difference.vcpu.value_or(VcpuId{0}).value,
            .has_expected = difference.expected.has_value(),
            .expected = difference.expected.value_or(0),
            .has_actual = difference.actual.has_value(),
            .actual = difference.actual.value_or(0),
        };
        found(opaque, &result);
    }
}

XovlSharedInfoSnapshot xovl_read_shared_info(const XovlOverlay *overlay)
{
    const core::SharedInfoSnapshot info = core::read_shared_info(
        overlay->overlay.page(), overlay->overlay.is_long_mode());
    XovlSharedInfoSnapshot result = {
        .long_mode = info.long_mode,
        .ports = info.ports,
        .wc_version = info.wc_version,
        .wc_seconds = info.wc_seconds,
        .wc_nanoseconds = info.wc_nanoseconds,
        .pending = {},
        .masked = {},
        .max_pfn = info.max_pfn,
        .nmi_reason = info.nmi_reason,
    };
    static_assert(sizeof(result.pending) == sizeof(info.pending));
    std::copy(info.pending.begin(), info.pending.end(), result.pending);
    std::copy(info.masked.begin(), info.masked.end(), result.masked);
    return result;
}

int xovl_read_vcpu_info(const XovlOverlay *overlay, uint32_t vcpu,
                        XovlVcpuInfoSnapshot *snapshot)
{
    const void *area = overlay->overlay.vcpu_info(VcpuId{vcpu}).host;
    if (area == nullptr) {
        return -ENOENT;
    }
    const core::VcpuInfoSnapshot info =
        core::read_vcpu_info(area, overlay->overlay.is_long_mode());
    *snapshot = {
        .upcall_pending = info.upcall_pending,
        .upcall_mask = info.upcall_mask,
        .pending_sel = info.pending_sel,
        .time_version = info.time.version,
        .tsc_timestamp = info.time.tsc_timestamp,
        .system_time = info.time.system_time,
        .tsc_to_system_mul = info.time.tsc_to_system_mul,
        .tsc_shift = info.time.tsc_shift,
        .flags = info.time.flags,
    };
    return 0;
}
