#include "common/term_rows.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

TermRows ThreeTerms() {
  TermRows rows;
  rows.Append(Term(1), LogIndex(1), Offset(0));
  rows.Append(Term(1), LogIndex(2), Offset(0));
  rows.Append(Term(3), LogIndex(10), Offset(40));
  rows.Append(Term(4), LogIndex(20), Offset(90));
  return rows;
}

TEST(TermRowsTest, FindsTheTermOfAnIndex) {
  TermRows rows = ThreeTerms();
  EXPECT_EQ(rows.rows().size(), 3u);
  EXPECT_EQ(rows.TermAt(LogIndex(0)), Term(0));
  EXPECT_EQ(rows.TermAt(LogIndex(9)), Term(1));
  EXPECT_EQ(rows.TermAt(LogIndex(10)), Term(3));
  EXPECT_EQ(rows.TermAt(LogIndex(25)), Term(4));
}

TEST(TermRowsTest, FindsEpochsAsOffsetForLeaderEpochAsks) {
  TermRows rows = ThreeTerms();
  EXPECT_EQ(rows.RowOf(Term(2)), std::nullopt);
  EXPECT_EQ(rows.RowAtOrBelow(Term(2))->term, Term(1));
  EXPECT_EQ(rows.RowAbove(Term(2))->first_offset, Offset(40));
  EXPECT_EQ(rows.RowAbove(Term(4)), std::nullopt);
  EXPECT_EQ(rows.TermOfOffset(Offset(89)), Term(3));
}

TEST(TermRowsTest, TruncationForgetsTheTermsThatBeganLater) {
  TermRows rows = ThreeTerms();
  rows.TruncateFrom(LogIndex(20));
  EXPECT_EQ(rows.rows().back().term, Term(3));
  rows.TruncateFrom(LogIndex(11));
  EXPECT_EQ(rows.rows().back().term, Term(3));
}

TEST(TermRowsTest, DroppingThePastKeepsTheTermJustBeforeTheStart) {
  TermRows rows = ThreeTerms();
  rows.DropBefore(LogIndex(20));
  EXPECT_EQ(rows.TermAt(LogIndex(19)), Term(3));
  EXPECT_EQ(rows.rows().size(), 2u);
}

}  // namespace
}  // namespace garam
