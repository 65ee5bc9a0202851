// SPDX-License-Identifier: GPL-2.0-or-later
// PinnedArea: owns a Pin and gives it back.
#pragma once

#include <cstddef>
#include <utility>

#include "abi/types.hpp"
#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::core
{

class PinnedArea
{
public:
    static Result<PinnedArea> create(AddressSpace &space, abi::Gpa gpa,
                                     std::size_t size)
    {
        const Result<Pin> pin = space.pin(gpa, size);
        if (!pin) {
            return pin.error();
        }
        return PinnedArea(space, gpa, *pin);
    }

    PinnedArea(PinnedArea &&other) noexcept
        : space_(std::exchange(other.space_, nullptr)), gpa_(other.gpa_),
          pin_(other.pin_)
    {
    }
    PinnedArea &operator=(PinnedArea &&other) noexcept
    {
        std::swap(space_, other.space_);
        std::swap(gpa_, other.gpa_);
        std::swap(pin_, other.pin_);
        return *this;
    }
    PinnedArea(const PinnedArea &) = delete;
    PinnedArea &operator=(const PinnedArea &) = delete;
    ~PinnedArea()
    {
        if (space_ != nullptr) {
            space_->unpin(pin_);
        }
    }

    [[nodiscard]] abi::Gpa gpa() const { return gpa_; }
    [[nodiscard]] void *host() const { return pin_.host; }

private:
    PinnedArea(AddressSpace &space, abi::Gpa gpa, Pin pin)
        : space_(&space), gpa_(gpa), pin_(pin)
    {
    }

    AddressSpace *space_;
    abi::Gpa gpa_;
    Pin pin_;
};

} // namespace xovl::core
