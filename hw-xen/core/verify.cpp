// SPDX-License-Identifier: GPL-2.0-or-later
// Overlay::verify: is what the hypervisor has what the overlay believes?
#include "core/overlay.hpp"

namespace xovl::core
{

namespace
{

using abi::Gfn;
using abi::Gpa;
using abi::VcpuId;
using Attribute = Difference::Attribute;

std::optional<std::uint64_t> number(bool value)
{
    return value ? 1 : 0;
}

// A guest's frame or address.
template <typename T>
std::optional<std::uint64_t> number(const std::optional<T> &value)
{
    return value ? std::optional(value->value) : std::nullopt;
}

std::optional<std::uint64_t> number(const void * /*host address*/)
{
    return std::nullopt;
}

class Comparison
{
public:
    // What cannot be read back is a difference: nobody can say that it is
    // as it should be.
    template <typename T>
    void compare(Attribute attribute, std::optional<VcpuId> vcpu, T expected,
                 const Result<T> &actual)
    {
        if (actual && *actual == expected) {
            return;
        }
        differences_.push_back({attribute, vcpu, number(expected),
                                actual ? number(*actual) : std::nullopt});
    }

    std::vector<Difference> take() { return std::move(differences_); }

private:
    std::vector<Difference> differences_;
};

} // namespace

std::vector<Difference> Overlay::verify()
{
    Comparison comparison;
    comparison.compare(Attribute::LongMode, {}, is_long_mode(),
                       hypervisor_.long_mode());

    const bool by_hva = shared_info_backend_ == SharedInfoBackend::Hva;
    const auto gfn =
        by_hva ? std::nullopt : std::optional(abi::frame_of(*window_));
    const void *page = by_hva ? page_ : nullptr;
    comparison.compare(Attribute::SharedInfoGfn, {}, gfn,
                       hypervisor_.shared_info_gfn());
    comparison.compare(Attribute::SharedInfoHva, {}, page,
                       hypervisor_.shared_info_hva());

    for (const auto &[id, vcpu] : vcpus_) {
        std::optional<Gpa> gpa;
        const void *host = nullptr;
        if (vcpu.registration) {
            gpa = vcpu.registration->gpa();
        } else if (!abi::default_slot_offset(id) ||
                   default_vcpu_info_backend_ == DefaultVcpuInfoBackend::Hva) {
            host = area_of(id);
        } else if (is_told(id, vcpu)) {
            gpa = Gpa{window_->value + *abi::default_slot_offset(id)};
        }
        comparison.compare(Attribute::VcpuInfoGpa, id, gpa,
                           hypervisor_.vcpu_info_gpa(id));
        comparison.compare(Attribute::VcpuInfoHva, id, host,
                           hypervisor_.vcpu_info_hva(id));
    }
    return comparison.take();
}

} // namespace xovl::core
