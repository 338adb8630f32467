// Where the slots of a pool stay, and when they go elsewhere.
#include "sandbox/placement.h"

#include <gtest/gtest.h>

namespace assay::sandbox {
namespace {

TEST(PlacementTest, EachSlotHasACpuOfItsOwnAsLongAsThereAreSome) {
  Placement placement({3, 5, 9}, 4, 1);
  EXPECT_EQ(placement.CpuOf(0), 5);
  EXPECT_EQ(placement.CpuOf(1), 9);
  EXPECT_EQ(placement.CpuOf(2), 3);
  EXPECT_EQ(placement.CpuOf(3), 5);
  EXPECT_EQ(placement.CpuOf(4), -1);
}

TEST(PlacementTest, OneCpuIsNoChoice) {
  EXPECT_EQ(Placement({7}, 2, 0).CpuOf(0), -1);
  EXPECT_EQ(Placement({}, 2, 0).CpuOf(1), -1);
}

TEST(PlacementTest, WhoWaitsMoreThanItWorksGoesToAFreeCpu) {
  Placement placement({0, 1, 2}, 2, 0);
  for (int i = 0; i < 100; ++i) placement.Note(0, 5, 3);
  EXPECT_EQ(placement.CpuOf(0), 0);
  for (int i = 0; i < 4; ++i) placement.Note(0, 30, 3);
  EXPECT_EQ(placement.CpuOf(0), 2);  // 1 is the other slot's
  EXPECT_EQ(placement.CpuOf(1), 1);
}

TEST(PlacementTest, WhoFaresNoBetterMovesSeldomer) {
  Placement placement({0, 1}, 1, 0);
  int moves = 0;
  for (int i = 0; i < 1000; ++i) {
    const int64_t before = placement.CpuOf(0);
    placement.Note(0, 30, 3);
    moves += placement.CpuOf(0) != before ? 1 : 0;
  }
  EXPECT_GT(moves, 4);
  EXPECT_LT(moves, 10);
}

TEST(PlacementTest, WithoutAFreeCpuItStays) {
  Placement placement({0, 1}, 2, 0);
  for (int i = 0; i < 100; ++i) placement.Note(0, 30, 3);
  EXPECT_EQ(placement.CpuOf(0), 0);
}

}  // namespace
}  // namespace assay::sandbox
