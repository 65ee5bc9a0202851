// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/result.hpp"

#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace xovl::core
{
namespace
{

TEST(Result, Value)
{
    Result<std::string> result(std::string("here"));
    ASSERT_TRUE(result);
    EXPECT_TRUE(result.has_value());
    EXPECT_EQ(*result, "here");
    EXPECT_EQ(result->size(), 4U);
    *result = "there";
    const Result<std::string> copy = result;
    EXPECT_EQ(*copy, "there");
    EXPECT_EQ(copy->size(), 5U);
}

TEST(Result, ErrorOfAValue)
{
    const Result<int> result = Error(-EINVAL);
    EXPECT_FALSE(result);
    EXPECT_FALSE(result.has_value());
    EXPECT_EQ(result.error().value(), -EINVAL);
}

// A false value is a value.
TEST(Result, FalseIsNoError)
{
    EXPECT_TRUE(Result<bool>(false).has_value());
}

TEST(Result, MoveOnlyValue)
{
    Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
    const std::unique_ptr<int> out = std::move(*result);
    EXPECT_EQ(*out, 7);
}

TEST(Status, FromErrno)
{
    EXPECT_TRUE(Status());
    EXPECT_TRUE(Status::from_errno(0));
    // ioctls may answer more than 0.
    EXPECT_TRUE(Status::from_errno(1));
    const Status failed = Status::from_errno(-EIO);
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error(), Error(-EIO));
    EXPECT_NE(failed.error(), Error(-EINVAL));
}

// Bugs of ours, which assert() finds; it is on in all builds.
TEST(ResultDeathTest, Misuse)
{
    Result<int> failed = Error(-EINVAL);
    const Result<int> failed_const = failed;
    const Result<int> succeeded = 1;
    EXPECT_DEATH(static_cast<void>(*failed), "has_value");
    EXPECT_DEATH(static_cast<void>(*failed_const), "has_value");
    EXPECT_DEATH(static_cast<void>(succeeded.error()), "has_value");
    EXPECT_DEATH(static_cast<void>(Status().error()), "error_");
    EXPECT_DEATH(static_cast<void>(Error(EINVAL)), "negative_errno");
}

} // namespace
} // namespace xovl::core
