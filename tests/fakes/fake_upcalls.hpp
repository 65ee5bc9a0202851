// SPDX-License-Identifier: GPL-2.0-or-later
// FakeUpcalls: remembers which vCPUs were called.
#pragma once

#include <vector>

#include "abi/types.hpp"
#include "core/ports.hpp"

namespace xovl::fakes
{

class FakeUpcalls final : public core::Upcalls
{
public:
    void inject(abi::VcpuId vcpu) override { called_.push_back(vcpu); }

    [[nodiscard]] const std::vector<abi::VcpuId> &called() const
    {
        return called_;
    }

private:
    std::vector<abi::VcpuId> called_;
};

} // namespace xovl::fakes
