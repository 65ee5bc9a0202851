// SPDX-License-Identifier: GPL-2.0-or-later
// Faults: which of the calls to come are to fail, and with what.
//
// One Faults is shared by all fakes of a test, so that "the n-th thing that
// the core asks of anything outside" is one number, whichever port it goes
// to, and trying every n is one loop.
#pragma once

#include <cassert>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>

namespace xovl::fakes
{

class Faults
{
public:
    // These calls from now on fail; 1 is the next.
    void fail(std::initializer_list<unsigned> calls, int error)
    {
        assert(error < 0);
        clear();
        chosen_ = calls;
        error_ = error;
    }
    void fail_nth(unsigned n, int error) { fail({n}, error); }
    // The n-th call fails, and so do all after it.
    void fail_from_nth(unsigned n, int error)
    {
        fail({}, error);
        from_ = n;
    }
    // Nothing fails from now on; counts anew.
    void clear() { *this = Faults(); }

    // Calls since the last of the above, and how many were made to fail.
    [[nodiscard]] unsigned calls() const { return calls_; }
    [[nodiscard]] unsigned strikes() const { return strikes_; }

    // What they fail with.
    [[nodiscard]] int error() const { return error_; }

    // A fake's part: once for every call that may fail.
    [[nodiscard]] std::optional<int> next()
    {
        ++calls_;
        if (calls_ < from_ && !chosen_.contains(calls_)) {
            return std::nullopt;
        }
        ++strikes_;
        return error_;
    }

private:
    std::set<unsigned> chosen_;
    unsigned from_ = std::numeric_limits<unsigned>::max();
    int error_ = 0;
    unsigned calls_ = 0;
    unsigned strikes_ = 0;
};

} // namespace xovl::fakes
