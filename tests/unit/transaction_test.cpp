// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/transaction.hpp"

#include <cerrno>
#include <gtest/gtest.h>
#include <string>

namespace xovl::core
{
namespace
{

using Outcome = Transaction::Outcome;

// Steps that write down what happens: "a" is done, "A" is undone.
class TransactionTest : public testing::Test
{
protected:
    void step(char name, bool fails = false, bool undo_fails = false)
    {
        transaction_.step([=, this] { return note(name, fails); },
                          [=, this] {
                              return note(static_cast<char>(name - 'a' + 'A'),
                                          undo_fails);
                          });
    }

    Transaction transaction_;
    std::string log_;

private:
    Status note(char name, bool fails)
    {
        log_ += name;
        // Each its own error, to see whose is reported.
        return fails ? Status(Error(-name)) : Status();
    }
};

TEST_F(TransactionTest, NothingToDo)
{
    EXPECT_EQ(transaction_.finish(), Outcome::Done);
}

TEST_F(TransactionTest, AllSucceed)
{
    step('a');
    step('b');
    EXPECT_EQ(transaction_.finish(), Outcome::Done);
    EXPECT_EQ(log_, "ab");
}

TEST_F(TransactionTest, UndoesTheLastFirstAndTheFailedToo)
{
    step('a');
    step('b', true);
    EXPECT_EQ(transaction_.finish(), Outcome::RolledBack);
    EXPECT_EQ(log_, "abBA");
    EXPECT_EQ(transaction_.error(), Error(-'b'));
}

TEST_F(TransactionTest, NothingIsTriedAfterAFailure)
{
    step('a', true);
    step('b');
    step('c', true);
    EXPECT_EQ(transaction_.finish(), Outcome::RolledBack);
    EXPECT_EQ(log_, "aA");
    EXPECT_EQ(transaction_.error(), Error(-'a'));
}

TEST_F(TransactionTest, AFailedUndoBreaksItButTheOthersAreTried)
{
    step('a');
    step('b', false, true);
    step('c', true);
    EXPECT_EQ(transaction_.finish(), Outcome::Broken);
    EXPECT_EQ(log_, "abcCBA");
    EXPECT_EQ(transaction_.error(), Error(-'c'));
}

} // namespace
} // namespace xovl::core
