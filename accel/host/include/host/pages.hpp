// SPDX-License-Identifier: GPL-2.0-or-later
// Pages: what can be done with single pages of this process, and Linux's way.
//
// Each call is one system call, and so one step for everybody else who uses
// the memory: other threads, vCPUs, the kernel.
#pragma once

#include <cstddef>

#include "core/result.hpp"

namespace xovl::host
{

class Pages
{
public:
    Pages() = default;
    Pages(const Pages &) = delete;
    Pages &operator=(const Pages &) = delete;
    virtual ~Pages() = default;

    // Moves a private page with all that the kernel knows of it (content,
    // advice, locks) to a free address, which is the result.  What is left at
    // `frame` is memory still, empty: there is no moment in which an access
    // faults.
    virtual core::Result<std::byte *> move_aside(std::byte *frame) = 0;

    // Moves a page to `to`, in place of what is there; nothing is left at
    // `from`.
    virtual core::Status move(std::byte *from, std::byte *to) = 0;

    // Has a shared page show at `at` too, in place of what is there.
    virtual core::Status alias(std::byte *page, std::byte *at) = 0;

    // Has the kernel keep a page as a mapping of its own, or not any longer.
    // It changes nothing but the cost of the above, so there is no error.
    virtual void part(std::byte *frame) = 0;
    virtual void join(std::byte *frame) = 0;
};

class LinuxPages final : public Pages
{
public:
    core::Result<std::byte *> move_aside(std::byte *frame) override;
    core::Status move(std::byte *from, std::byte *to) override;
    core::Status alias(std::byte *page, std::byte *at) override;
    void part(std::byte *frame) override;
    void join(std::byte *frame) override;
};

} // namespace xovl::host
