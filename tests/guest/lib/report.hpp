// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's verdict, which is also its end.
//
//     VERDICT: FAIL remap: remap 3 returned -22
//
// The four are XTF's. The line is printed once, last, and nothing runs after
// it; a runner that sees none of it has seen a crash.
#pragma once

#include "console.hpp"

namespace xovl::guest
{

enum class Verdict : unsigned {
    Pass = 0,  // everything that was to be checked was, and held
    Fail = 1,  // the subject, that is the device or KVM, is wrong
    Skip = 2,  // nothing was checked, because of how the guest was started
    Error = 3, // the test or its surroundings are wrong; nothing is known
};

void begin_verdict(Verdict verdict);

// Ends the virtual machine. With QEMU's isa-debug-exit at 0xf4 its exit status
// says which verdict it was: 1 pass, 3 fail, 5 skip, 7 error. Without, it is a
// Xen power-off, if the guest got as far as making hypercalls.
[[noreturn]] void end_machine(Verdict verdict);

template <typename... Parts>
[[noreturn]] void report(Verdict verdict, const Parts &...details)
{
    begin_verdict(verdict);
    print(details..., "\n");
    end_machine(verdict);
}

template <typename... Parts>
[[noreturn]] void pass(const Parts &...details)
{
    report(Verdict::Pass, details...);
}

template <typename... Parts>
[[noreturn]] void fail(const Parts &...details)
{
    report(Verdict::Fail, details...);
}

template <typename... Parts>
[[noreturn]] void skip(const Parts &...details)
{
    report(Verdict::Skip, details...);
}

template <typename... Parts>
[[noreturn]] void error(const Parts &...details)
{
    report(Verdict::Error, details...);
}

} // namespace xovl::guest
