// SPDX-License-Identifier: GPL-2.0-or-later
// FaultyPages: Linux's pages, of which chosen calls fail as Linux's fail.
#pragma once

#include <functional>
#include <sys/mman.h>

#include "abi/types.hpp"
#include "core/result.hpp"
#include "fakes/faults.hpp"
#include "host/pages.hpp"

namespace xovl::fakes
{

class FaultyPages final : public host::Pages
{
public:
    explicit FaultyPages(Faults &faults) : faults_(faults) {}

    // Linux takes away what is at the destination before it does what may
    // fail for want of memory; most failures come earlier.
    bool fails_late = false;

    // Called after each call that changes what shows where.
    std::function<void()> look = [] {};

    core::Result<std::byte *> move_aside(std::byte *frame) override
    {
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        return seen(linux_.move_aside(frame));
    }
    core::Status move(std::byte *from, std::byte *to) override
    {
        if (const auto error = fault(to)) {
            return core::Error(*error);
        }
        return seen(linux_.move(from, to));
    }
    core::Status alias(std::byte *page, std::byte *at) override
    {
        if (const auto error = fault(at)) {
            return core::Error(*error);
        }
        return seen(linux_.alias(page, at));
    }
    void part(std::byte *frame) override { linux_.part(frame); }
    void join(std::byte *frame) override { linux_.join(frame); }

private:
    template <typename Done>
    Done seen(Done done)
    {
        look();
        return done;
    }

    std::optional<int> fault(std::byte *destination)
    {
        const auto error = faults_.next();
        if (error && fails_late) {
            munmap(destination, abi::kPageSize);
        }
        return error;
    }

    Faults &faults_;
    host::LinuxPages linux_;
};

} // namespace xovl::fakes
