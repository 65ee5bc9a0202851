// SPDX-License-Identifier: GPL-2.0-or-later
// CountedHypervisor: a Hypervisor that counts what it is told.
#pragma once

#include <atomic>
#include <cstdint>

#include "abi/types.hpp"
#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::core
{

class CountedHypervisor final : public Hypervisor
{
public:
    explicit CountedHypervisor(Hypervisor &hypervisor) : hypervisor_(hypervisor)
    {
    }

    // Atomic, because the mode is set and read without the caller's lock.
    using Count = std::atomic<std::uint64_t>;

    [[nodiscard]] std::uint64_t shared_info_sets() const
    {
        return shared_info_sets_;
    }
    [[nodiscard]] std::uint64_t vcpu_info_sets() const
    {
        return vcpu_info_sets_;
    }
    [[nodiscard]] std::uint64_t errors() const { return errors_; }

    [[nodiscard]] bool has_shared_info_hva() const override
    {
        return hypervisor_.has_shared_info_hva();
    }
    Result<bool> has_vcpu_info_hva(abi::VcpuId vcpu) override
    {
        return counted(hypervisor_.has_vcpu_info_hva(vcpu));
    }
    [[nodiscard]] const char *
    requirement(SharedInfoBackend backend) const override
    {
        return hypervisor_.requirement(backend);
    }
    [[nodiscard]] const char *
    requirement(DefaultVcpuInfoBackend backend) const override
    {
        return hypervisor_.requirement(backend);
    }

    Status set_shared_info_gfn(std::optional<abi::Gfn> gfn) override
    {
        ++shared_info_sets_;
        return counted(hypervisor_.set_shared_info_gfn(gfn));
    }
    Status set_shared_info_hva(void *page) override
    {
        ++shared_info_sets_;
        return counted(hypervisor_.set_shared_info_hva(page));
    }
    Status set_vcpu_info_gpa(abi::VcpuId vcpu,
                             std::optional<abi::Gpa> gpa) override
    {
        ++vcpu_info_sets_;
        return counted(hypervisor_.set_vcpu_info_gpa(vcpu, gpa));
    }
    Status set_vcpu_info_hva(abi::VcpuId vcpu, void *area) override
    {
        ++vcpu_info_sets_;
        return counted(hypervisor_.set_vcpu_info_hva(vcpu, area));
    }
    Status set_long_mode(bool long_mode) override
    {
        return counted(hypervisor_.set_long_mode(long_mode));
    }

    Result<bool> long_mode() override
    {
        return counted(hypervisor_.long_mode());
    }
    Result<std::optional<abi::Gfn>> shared_info_gfn() override
    {
        return counted(hypervisor_.shared_info_gfn());
    }
    Result<const void *> shared_info_hva() override
    {
        return counted(hypervisor_.shared_info_hva());
    }
    Result<std::optional<abi::Gpa>> vcpu_info_gpa(abi::VcpuId vcpu) override
    {
        return counted(hypervisor_.vcpu_info_gpa(vcpu));
    }
    Result<const void *> vcpu_info_hva(abi::VcpuId vcpu) override
    {
        return counted(hypervisor_.vcpu_info_hva(vcpu));
    }

private:
    template <typename T>
    Result<T> counted(Result<T> result)
    {
        if (!result) {
            ++errors_;
        }
        return result;
    }

    Hypervisor &hypervisor_;
    Count shared_info_sets_ = 0;
    Count vcpu_info_sets_ = 0;
    Count errors_ = 0;
};

} // namespace xovl::core
