// SPDX-License-Identifier: GPL-2.0-or-later
// FakeAddressSpace: guest RAM from address 0 on, where the page shows in it,
// and which of it is pinned.
//
// It fails the test by itself if a pin is given back twice, or never.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <ostream>
#include <vector>

#include "abi/types.hpp"
#include "core/ports.hpp"
#include "fakes/faults.hpp"

namespace xovl::fakes
{

struct AddressSpaceState {
    std::optional<abi::Gpa> page;
    // How often each address is pinned.
    std::map<abi::Gpa, unsigned> pins;
    friend bool operator==(const AddressSpaceState &,
                           const AddressSpaceState &) = default;
};

inline std::ostream &operator<<(std::ostream &out,
                                const AddressSpaceState &state)
{
    out << "page ";
    if (state.page) {
        out << "at 0x" << std::hex << state.page->value << std::dec;
    } else {
        out << "hidden";
    }
    for (const auto &[gpa, count] : state.pins) {
        out << ", 0x" << std::hex << gpa.value << std::dec << " pinned "
            << count << " times";
    }
    return out;
}

class FakeAddressSpace final : public core::AddressSpace
{
public:
    FakeAddressSpace(Faults &faults, std::size_t ram_size)
        : faults_(faults), ram_(ram_size)
    {
    }
    ~FakeAddressSpace() override
    {
        EXPECT_TRUE(pins_.empty()) << pins_.size() << " pins leaked";
    }

    [[nodiscard]] AddressSpaceState state() const
    {
        AddressSpaceState state{page_, {}};
        for (const auto &[token, gpa] : pins_) {
            ++state.pins[gpa];
        }
        return state;
    }
    [[nodiscard]] std::optional<abi::Gpa> page() const { return page_; }
    [[nodiscard]] std::size_t pins() const { return pins_.size(); }
    [[nodiscard]] void *host(abi::Gpa gpa) { return &ram_.at(gpa.value); }
    // How often the page was asked to move.
    [[nodiscard]] unsigned placements() const { return placements_; }

    core::Status place_page(std::optional<abi::Gpa> gpa) override
    {
        ++placements_;
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        page_ = gpa;
        return {};
    }
    core::Result<core::Pin> pin(abi::Gpa gpa, std::size_t size) override
    {
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        if (gpa.value > ram_.size() || ram_.size() - gpa.value < size) {
            return core::Error(-EINVAL);
        }
        // Never the same twice, so that a pin given back twice is told from
        // another one of the same address.
        const std::uintptr_t token = ++last_token_;
        pins_.emplace(token, gpa);
        return core::Pin{host(gpa), reinterpret_cast<void *>(token)};
    }
    void unpin(core::Pin pin) override
    {
        const auto it = pins_.find(reinterpret_cast<std::uintptr_t>(pin.token));
        if (it == pins_.end()) {
            ADD_FAILURE() << "given back, but not pinned";
            return;
        }
        EXPECT_EQ(pin.host, host(it->second));
        pins_.erase(it);
    }

private:
    Faults &faults_;
    std::vector<std::byte> ram_;
    std::optional<abi::Gpa> page_;
    std::map<std::uintptr_t, abi::Gpa> pins_;
    std::uintptr_t last_token_ = 0;
    unsigned placements_ = 0;
};

} // namespace xovl::fakes
