// SPDX-License-Identifier: GPL-2.0-or-later
// FakeGuestMemory: a caller's memory from a base address on; the rest is not
// there.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/ports.hpp"
#include "core/result.hpp"

namespace xovl::fakes
{

class FakeGuestMemory final : public core::GuestMemory
{
public:
    FakeGuestMemory(std::uint64_t base, std::size_t size)
        : base_(base), memory_(size)
    {
    }

    // What a guest would do.
    template <typename T>
    void write(std::uint64_t gva, const T &value)
    {
        std::memcpy(&memory_.at(gva - base_), &value, sizeof(value));
    }
    template <typename T>
    [[nodiscard]] T read(std::uint64_t gva) const
    {
        T value;
        std::memcpy(&value, &memory_.at(gva - base_), sizeof(value));
        return value;
    }

    core::Status copy_in(std::uint64_t gva, void *to, std::size_t size) override
    {
        if (!has(gva, size)) {
            return core::Error(-EFAULT);
        }
        std::memcpy(to, &memory_[gva - base_], size);
        return {};
    }
    core::Status copy_out(std::uint64_t gva, const void *from,
                          std::size_t size) override
    {
        if (!has(gva, size)) {
            return core::Error(-EFAULT);
        }
        std::memcpy(&memory_[gva - base_], from, size);
        return {};
    }

private:
    [[nodiscard]] bool has(std::uint64_t gva, std::size_t size) const
    {
        return gva >= base_ && gva - base_ <= memory_.size() &&
               memory_.size() - (gva - base_) >= size;
    }

    std::uint64_t base_;
    std::vector<std::byte> memory_;
};

} // namespace xovl::fakes
