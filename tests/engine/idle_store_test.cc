// What a store costs that nobody writes to: opening and closing it again and again.

#include "tests/engine/log_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

class IdleStoreTest : public LogFixture {
 protected:
  const uint64_t cycles_ = Scaled(200);

  void SetUp() override {
    ASSERT_OK(sim_.Open());
    ASSERT_OK(Put("a", 1));
  }
};

// Goal: a cycle costs two small records in the log, an open and a close, and one row of the index;
// neither files nor segments come with it.
TEST_F(IdleStoreTest, OpenedAndClosed) {
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  const StoreStats before = sim_.store().Stats();
  for (uint64_t i = 0; i < cycles_; ++i) {
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
  }
  const StoreStats after = sim_.store().Stats();
  EXPECT_EQ(after.epoch, before.epoch + cycles_);
  EXPECT_EQ(after.last_lsn.value, before.last_lsn.value + 2 * cycles_);
  EXPECT_LE(after.log_bytes - before.log_bytes, cycles_ * 256);
  EXPECT_LE(after.index_bytes - before.index_bytes, cycles_ * 128);
  EXPECT_EQ(after.log_file_bytes, before.log_file_bytes);
  EXPECT_EQ(after.segment_count, before.segment_count);
  EXPECT_TRUE(Holds("a", 1));
}

// Goal: a process that dies again and again leaves a segment each time, but only its first blocks:
// two with headers and one with its open record. The index knows nothing of it until a checkpoint.
TEST_F(IdleStoreTest, OpenedAndDied) {
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  const StoreStats before = sim_.store().Stats();
  for (uint64_t i = 0; i < cycles_; ++i) {
    sim_.Crash(PowerLoss::kNothing);
    ASSERT_OK(sim_.Open());
  }
  const StoreStats after = sim_.store().Stats();
  EXPECT_EQ(after.epoch, before.epoch + cycles_);
  EXPECT_LE(after.log_file_bytes - before.log_file_bytes, cycles_ * 16384);
  EXPECT_EQ(after.segment_count, before.segment_count + cycles_);
  EXPECT_EQ(after.index_bytes, before.index_bytes);
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  // The index grows by whole pages: some tables get their first.
  EXPECT_LE(sim_.store().Stats().index_bytes - before.index_bytes, 32768 + cycles_ * 96);
}

// Goal: what a store has in memory of objects that nobody uses any more goes with the next
// checkpoint, if they are many; those that are used stay. Method: thousands that were written and
// closed, and as many that are held over a checkpoint.
TEST_F(IdleStoreTest, ObjectsThatWereClosed) {
  const internal::StoreImpl& store = internal::StorePeer::Impl(sim_.store());
  const uint64_t count = 2000;
  for (uint64_t i = 0; i < count; ++i) ASSERT_OK(Put("closed" + std::to_string(i), i));
  EXPECT_GT(store.table_entries(), count);
  ASSERT_OK(sim_.store().Checkpoint());
  EXPECT_LT(store.table_entries(), 100u);

  std::vector<std::shared_ptr<Object>> held;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string name = "held" + std::to_string(i);
    ASSERT_OK(Put(name, i));
    held.push_back(Open(name).value());
  }
  ASSERT_OK(sim_.store().Checkpoint());
  EXPECT_GE(store.table_entries(), 2 * count) << "an object and its timeline each";
  held.clear();
  ASSERT_OK(sim_.store().Checkpoint());
  EXPECT_LT(store.table_entries(), 100u);
  EXPECT_TRUE(Holds("held7", 7));
  EXPECT_TRUE(Holds("closed7", 7));
}

}  // namespace
}  // namespace tidemark::testing
