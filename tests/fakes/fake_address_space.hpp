// SPDX-License-Identifier: GPL-2.0-or-later
// FakeAddressSpace: guest RAM from address 0 on, where Xen's pages show in
// it, and which of it is pinned.
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
    std::map<core::Page, abi::Gpa> pages; // those that show
    std::vector<std::byte> ram;
    // How often each address is pinned.
    std::map<abi::Gpa, unsigned> pins;
    friend bool operator==(const AddressSpaceState &,
                           const AddressSpaceState &) = default;
};

inline std::ostream &operator<<(std::ostream &out,
                                const AddressSpaceState &state)
{
    out << std::hex;
    for (const auto &[page, gpa] : state.pages) {
        out << "page " << page.token << " at 0x" << gpa.value << ", ";
    }
    out << std::dec << state.ram.size() << " bytes of RAM";
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
        AddressSpaceState state{pages_, ram_, {}};
        for (const auto &[token, gpa] : pins_) {
            ++state.pins[gpa];
        }
        return state;
    }
    // Where shared_info shows.
    [[nodiscard]] std::optional<abi::Gpa> page() const
    {
        return page(core::kSharedInfoPage);
    }
    [[nodiscard]] std::optional<abi::Gpa> page(core::Page page) const
    {
        const auto it = pages_.find(page);
        return it == pages_.end() ? std::nullopt : std::optional(it->second);
    }
    [[nodiscard]] std::size_t pins() const { return pins_.size(); }
    [[nodiscard]] void *host(abi::Gpa gpa) { return &ram_.at(gpa.value); }
    // How often a page was asked to move.
    [[nodiscard]] unsigned placements() const { return placements_; }
    // How often one was to show where another one did.
    [[nodiscard]] unsigned overlaps() const { return overlaps_; }
    [[nodiscard]] bool window_is_open() const { return window_is_open_; }

    // Where the page shows besides, and how many frames the grant table has.
    static constexpr abi::Gpa kWindow{0xfeffa000};
    static constexpr std::uint64_t kGrantFrames = 4;
    static core::Page grant_page(std::uint64_t index)
    {
        return {reinterpret_cast<void *>(std::uintptr_t{0x1000} + index)};
    }

    core::Status place(core::Page page, std::optional<abi::Gpa> gpa) override
    {
        ++placements_;
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        pages_.erase(page);
        if (gpa) {
            for (const auto &[other, place] : pages_) {
                overlaps_ += place == *gpa ? 1 : 0;
            }
            pages_.emplace(page, *gpa);
        }
        return {};
    }
    core::Result<abi::Gpa> open_window() override
    {
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        window_is_open_ = true;
        return kWindow;
    }
    core::Result<core::Page> grant_frame(std::uint64_t index) override
    {
        if (index >= kGrantFrames) {
            return core::Error(-EINVAL);
        }
        return grant_page(index);
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
    std::map<core::Page, abi::Gpa> pages_;
    bool window_is_open_ = false;
    std::map<std::uintptr_t, abi::Gpa> pins_;
    std::uintptr_t last_token_ = 0;
    unsigned placements_ = 0;
    unsigned overlaps_ = 0;
};

} // namespace xovl::fakes
