// SPDX-License-Identifier: GPL-2.0-or-later
// Transaction: several steps outside the core that succeed together or are
// taken back.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace xovl::core
{

class Transaction
{
public:
    using Action = std::function<Status()>;

    // Does `apply`, unless an earlier step failed.  `undo` restores what was
    // before; it runs for the failing step too, because a setter that fails
    // may have dropped the old setting (see Hypervisor in ports.hpp).
    void step(const Action &apply, Action undo)
    {
        if (error_) {
            return;
        }
        undo_.push_back(std::move(undo));
        const Status done = apply();
        if (!done) {
            error_ = done.error();
        }
    }

    enum class Outcome {
        Done,
        RolledBack, // everything is as before
        Broken,     // an undo failed as well
    };

    // Ends it.  After a failure every undo is tried, the last step's first,
    // even when one of them fails: the more is restored the better.
    [[nodiscard]] Outcome finish()
    {
        if (!error_) {
            return Outcome::Done;
        }
        Outcome outcome = Outcome::RolledBack;
        for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) {
            if (!(*it)()) {
                outcome = Outcome::Broken;
            }
        }
        return outcome;
    }

    // What the first failing step said.
    [[nodiscard]] Error error() const { return *error_; }

private:
    std::vector<Action> undo_;
    std::optional<Error> error_;
};

} // namespace xovl::core
