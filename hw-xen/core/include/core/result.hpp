// SPDX-License-Identifier: GPL-2.0-or-later
// Result<T>: a value or a negative errno, as QEMU and Linux hand errors on.
//
// std::expected is C++23; this has the few of its member names that are used
// here, so that a later switch is one alias.  There are no exceptions in this
// library: a caller must look at what it gets, hence [[nodiscard]].
#pragma once

#include <cassert>
#include <optional>
#include <utility>

namespace xovl::core
{

// A Linux errno, kept negative (-EINVAL) from the ioctl to the C interface so
// that no layer has to remember which sign it deals in.
class [[nodiscard]] Error
{
public:
    explicit constexpr Error(int negative_errno) : value_(negative_errno)
    {
        assert(negative_errno < 0);
    }
    [[nodiscard]] constexpr int value() const { return value_; }
    friend constexpr bool operator==(Error, Error) = default;

private:
    int value_;
};

template <typename T>
class [[nodiscard]] Result
{
public:
    // Implicit, as std::expected's: `return value;` and `return Error(...)`.
    Result(T value) : value_(std::move(value)) {} // NOLINT(google-explicit-*)
    Result(Error error) : error_(error) {}        // NOLINT(google-explicit-*)

    [[nodiscard]] bool has_value() const { return value_.has_value(); }
    explicit operator bool() const { return has_value(); }

    T &operator*()
    {
        assert(has_value());
        return *value_;
    }
    const T &operator*() const
    {
        assert(has_value());
        return *value_;
    }
    T *operator->() { return &**this; }
    const T *operator->() const { return &**this; }

    [[nodiscard]] Error error() const
    {
        assert(!has_value());
        return error_;
    }

private:
    std::optional<T> value_;
    Error error_{-1};
};

template <>
class [[nodiscard]] Result<void>
{
public:
    Result() = default;
    Result(Error error) : error_(error) {} // NOLINT(google-explicit-*)

    // An ioctl's answer: 0, or a negative errno.
    static Result from_errno(int ret)
    {
        return ret < 0 ? Result(Error(ret)) : Result();
    }

    [[nodiscard]] bool has_value() const { return !error_; }
    explicit operator bool() const { return has_value(); }
    [[nodiscard]] Error error() const
    {
        assert(error_);
        return *error_;
    }

private:
    std::optional<Error> error_;
};

using Status = Result<void>;

} // namespace xovl::core
