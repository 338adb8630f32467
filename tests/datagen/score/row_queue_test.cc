// The queue between a scoring run's stations: order, room, and how it ends.
#include "datagen/score/row_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace assay {
namespace {

RowBatch Batch(int64_t number, int64_t bytes = 1) {
  RowBatch batch;
  batch.bytes = bytes;
  batch.rows.resize(1);
  batch.rows[0].lines.resize(1);
  batch.rows[0].lines[0].number = number;
  return batch;
}

bool Never() { return false; }
Status Nothing() { return {}; }

int64_t NextNumber(RowQueue* queue) {
  Result<std::unique_ptr<RowBatch>> next = queue->NextScored(Never, Nothing);
  return next.ok() && *next != nullptr ? (*next)->rows[0].lines[0].number : -1;
}

TEST(RowQueueTest, TheWriterGetsTheReadersOrderWhoeverIsDoneFirst) {
  RowQueue queue;
  for (int64_t i = 1; i <= 3; ++i) queue.Push(Batch(i));
  queue.EndOfInput({});
  std::vector<RowBatch*> taken;
  while (RowBatch* batch = queue.TakeWork()) taken.push_back(batch);
  ASSERT_EQ(taken.size(), 3u);
  for (size_t i = 3; i-- > 0;) queue.Scored(taken[i], std::nullopt);
  for (int64_t i = 1; i <= 3; ++i) EXPECT_EQ(NextNumber(&queue), i);
  EXPECT_EQ(NextNumber(&queue), -1);  // all is written
}

TEST(RowQueueTest, AGiantPassesAloneAndTheNextWaitsForRoom) {
  RowQueue queue;
  queue.Push(Batch(1, 2 * kInFlightBytes));  // does not wait: nothing is on its way
  std::atomic<bool> pushed = false;
  std::thread reader([&] {
    queue.Push(Batch(2));
    pushed = true;
    queue.EndOfInput({});
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(pushed);
  queue.Scored(queue.TakeWork(), std::nullopt);
  EXPECT_EQ(NextNumber(&queue), 1);
  reader.join();
  queue.Scored(queue.TakeWork(), std::nullopt);
  EXPECT_EQ(NextNumber(&queue), 2);
}

TEST(RowQueueTest, AFailureComesAfterWhatWasScoredInFrontOfIt) {
  RowQueue queue;
  for (int64_t i = 1; i <= 2; ++i) queue.Push(Batch(i));
  RowBatch* first = queue.TakeWork();
  queue.Scored(first, Error{ErrorCode::kInternal, "broken", ""});
  EXPECT_EQ(NextNumber(&queue), 1);
  Result<std::unique_ptr<RowBatch>> next = queue.NextScored(Never, Nothing);
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().message, "broken");
}

TEST(RowQueueTest, AReadersErrorIsKeptForTheEnd) {
  RowQueue queue;
  queue.Push(Batch(1));
  queue.EndOfInput(Error{ErrorCode::kIo, "torn", ""});
  queue.Scored(queue.TakeWork(), std::nullopt);
  EXPECT_EQ(NextNumber(&queue), 1);
  EXPECT_EQ(NextNumber(&queue), -1);
  ASSERT_TRUE(queue.reading_error().has_value());
  EXPECT_EQ(queue.reading_error()->message, "torn");
}

// A slow writer (a store) always finds a batch that is ready: the signal must count all the same.
TEST(RowQueueTest, AnInterruptedWriterTakesNothingMoreThoughItIsReady) {
  RowQueue queue;
  queue.Push(Batch(1));
  queue.Scored(queue.TakeWork(), std::nullopt);
  Result<std::unique_ptr<RowBatch>> next = queue.NextScored([] { return true; }, Nothing);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(*next, nullptr);
  EXPECT_EQ(NextNumber(&queue), 1);
}

TEST(RowQueueTest, InterruptionEndsTheWaitAndStoppingEndsEverybody) {
  RowQueue queue;
  queue.Push(Batch(1, 2 * kInFlightBytes));
  Result<std::unique_ptr<RowBatch>> next = queue.NextScored([] { return true; }, Nothing);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(*next, nullptr);
  std::thread reader([&] { queue.Push(Batch(2)); });
  queue.Stop();
  reader.join();
  EXPECT_EQ(queue.TakeWork(), nullptr);
}

TEST(RowQueueTest, WhileItWaitsTheWriterMayFail) {
  RowQueue queue;
  queue.Push(Batch(1));
  Result<std::unique_ptr<RowBatch>> next = queue.NextScored(Never, [] {
    return Status(Error{ErrorCode::kIo, "full", ""});
  });
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().message, "full");
}

}  // namespace
}  // namespace assay
