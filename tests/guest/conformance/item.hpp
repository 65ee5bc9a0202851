// SPDX-License-Identifier: GPL-2.0-or-later
// One item of the checklist, and its verdict line:
//
//     C-07 PASS
//     C-07 FAIL got=-22 want=0: map at B
//     C-07 SKIP needs a second vCPU
//     C-07 KNOWN accepts what Xen refuses
//
// An item says what it expects, check by check. The first that does not hold
// is its verdict; those behind it are its consequences, and are not shown.
#pragma once

#include <cstdint>

#include "console.hpp"

namespace xovl::guest
{

enum class Outcome : unsigned { None, Pass, Fail, Skip, Known };

class Item
{
public:
    explicit Item(unsigned number) : number_{number} {}

    // Each returns whether it held, for items that cannot go on without it.
    bool equal(const char *what, std::intptr_t got, std::intptr_t want)
    {
        return got == want || fail("got=", got, " want=", want, ": ", what);
    }

    bool equal_bits(const char *what, std::uint64_t got, std::uint64_t want)
    {
        return got == want ||
               fail("got=", Hex{got}, " want=", Hex{want}, ": ", what);
    }

    bool that(const char *what, bool holds)
    {
        return holds || fail("got=false want=true: ", what);
    }

    bool negative(const char *what, std::intptr_t got)
    {
        return got < 0 || fail("got=", got, " want=negative: ", what);
    }

    template <typename... Parts>
    bool fail(const Parts &...details)
    {
        settle(Outcome::Fail, details...);
        return false;
    }

    template <typename... Parts>
    void skip(const Parts &...why)
    {
        settle(Outcome::Skip, why...);
    }

    // The VMM differs from Xen here, on purpose; `how` says in what.
    template <typename... Parts>
    void known(const Parts &...how)
    {
        settle(Outcome::Known, how...);
    }

    template <typename... Parts>
    void pass(const Parts &...details)
    {
        settle(Outcome::Pass, details...);
    }

    [[nodiscard]] bool settled() const { return outcome_ != Outcome::None; }

    // Without another verdict it is a pass.
    Outcome finish()
    {
        pass();
        return outcome_;
    }

private:
    template <typename... Parts>
    void settle(Outcome outcome, const Parts &...details)
    {
        static constexpr const char *kWords[] = {"", "PASS", "FAIL", "SKIP",
                                                 "KNOWN"};
        if (settled()) {
            return;
        }
        outcome_ = outcome;
        start_line();
        print("C-", number_ < 10 ? "0" : "", number_, " ",
              kWords[static_cast<unsigned>(outcome)],
              sizeof...(details) != 0 ? " " : "", details..., "\n");
    }

    unsigned number_;
    Outcome outcome_ = Outcome::None;
};

} // namespace xovl::guest
