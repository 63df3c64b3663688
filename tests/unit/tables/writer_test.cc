#include "dataplane/tables/writer.h"

#include <gtest/gtest.h>

#include "dataplane/tables/reader.h"

namespace nezu::tables {
namespace {

Sizes small() {
  Sizes sizes;
  sizes.services = 4096;
  sizes.servers = 4096;
  sizes.workers = 2;
  sizes.heap_bytes = 16 << 20;
  return sizes;
}

Service service(uint32_t slot, uint16_t port = 80) {
  Service made;
  made.id = ServiceId{slot};
  made.key.address = net::Address::v4(0xcb007100 + slot);
  made.key.port = port;
  made.key.protocol = net::Protocol::tcp;
  return made;
}

class WriterTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = Region::in_memory(small()).region;
    ASSERT_NE(region_, nullptr);
    restart();
  }
  /// A new writer on what the last one left.
  void restart() {
    std::string error;
    writer_ = Writer::attach(*region_, &error);
    ASSERT_NE(writer_, nullptr) << error;
  }
  /// Every byte in use is reachable, and nothing else is.
  void expect_no_leak() {
    writer_->reclaim();
    const uint64_t used = writer_->heap().used_bytes() - writer_->heap().retired_bytes();
    std::string error;
    const auto other = Writer::attach(*region_, &error);
    ASSERT_NE(other, nullptr) << error;
    EXPECT_EQ(other->heap().used_bytes() - other->heap().retired_bytes(), used);
  }

  std::unique_ptr<Region> region_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, ShowsNothingBeforeTheFirstPublication) {
  const auto reader = Reader::attach(*region_, "worker 0");
  EXPECT_FALSE(reader->latest().is_ready());
  EXPECT_EQ(reader->latest().service(ServiceKey{}), nullptr);
}

TEST_F(WriterTest, PublishesAServiceByKeyAndBySlot) {
  const auto reader = Reader::attach(*region_, "worker 0");
  Transaction change(*writer_);
  change.put(service(7), {}, 0);
  EXPECT_FALSE(reader->latest().is_ready());
  ASSERT_EQ(change.commit(1), Commit::published);
  const View view = reader->latest();
  EXPECT_EQ(view.generation(), 1u);
  ASSERT_NE(view.service(service(7).key), nullptr);
  EXPECT_EQ(view.service(service(7).key)->id, ServiceId{7});
  EXPECT_EQ(view.service(ServiceId{7})->key.port, 80);
  EXPECT_EQ(view.service(ServiceId{8}), nullptr);
  EXPECT_EQ(view.service(service(8).key), nullptr);
  EXPECT_EQ(view.root()->service_count, 1u);
}

TEST_F(WriterTest, TheSameAgainPublishesNothing) {
  const std::vector<AddressId> snats = {AddressId{1}, AddressId{2}};
  for (int round = 0; round < 3; ++round) {
    Transaction change(*writer_);
    change.put(service(1), snats, 2);
    change.put(Settings{});
    EXPECT_EQ(change.commit(5), round == 0 ? Commit::published : Commit::unchanged);
  }
  EXPECT_EQ(writer_->generation(), 1u);
  expect_no_leak();
}

TEST_F(WriterTest, AnUnchangedObjectKeepsItsBlock) {
  {
    Transaction change(*writer_);
    change.put(service(1), {}, 0);
    change.put(service(2), {}, 0);
    ASSERT_EQ(change.commit(1), Commit::published);
  }
  const Service* one = writer_->view().service(ServiceId{1});
  {
    Transaction change(*writer_);
    change.put(service(1), {}, 0);
    Service two = service(2);
    two.enabled = 0;
    change.put(two, {}, 0);
    ASSERT_EQ(change.commit(2), Commit::published);
  }
  EXPECT_EQ(writer_->view().service(ServiceId{1}), one);
  EXPECT_EQ(writer_->view().service(ServiceId{2})->enabled, 0);
}

TEST_F(WriterTest, AServiceThatMovesLeavesItsOldKey) {
  for (const uint16_t port : {80, 81}) {
    Transaction change(*writer_);
    change.put(service(1, port), {}, 0);
    ASSERT_EQ(change.commit(port), Commit::published);
  }
  EXPECT_EQ(writer_->view().service(service(1, 80).key), nullptr);
  EXPECT_NE(writer_->view().service(service(1, 81).key), nullptr);
}

TEST_F(WriterTest, FilesThousandsAndFindsEach) {
  constexpr uint32_t kCount = 4000;
  {
    Transaction change(*writer_);
    for (uint32_t i = 0; i < kCount; ++i) change.put(service(i), {}, 0);
    ASSERT_EQ(change.commit(1), Commit::published);
  }
  const View view = writer_->view();
  for (uint32_t i = 0; i < kCount; ++i) {
    const Service* found = view.service(service(i).key);
    ASSERT_NE(found, nullptr) << i;
    ASSERT_EQ(index(found->id), i);
  }
  {
    Transaction change(*writer_);
    for (uint32_t i = 0; i < kCount; i += 2) change.remove(ServiceId{i});
    ASSERT_EQ(change.commit(2), Commit::published);
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(writer_->view().service(service(i).key) != nullptr, i % 2 == 1) << i;
  }
  EXPECT_EQ(writer_->view().root()->service_count, kCount / 2);
  expect_no_leak();
}

TEST_F(WriterTest, OnePushWritesLittleBesideManyOthers) {
  {
    Transaction change(*writer_);
    for (uint32_t i = 0; i < 4000; ++i) change.put(service(i), {}, 0);
    ASSERT_EQ(change.commit(1), Commit::published);
  }
  Transaction change(*writer_);
  change.put(service(4001), {}, 0);
  ASSERT_EQ(change.commit(2), Commit::published);
  EXPECT_LE(change.staged_bytes(), 64u << 10);
}

Pool pool(uint32_t slot) {
  Pool made;
  made.id = PoolId{slot};
  return made;
}
std::vector<Member> members(uint32_t count) {
  std::vector<Member> made(count);
  for (uint32_t i = 0; i < count; ++i) made[i].server = ServerId{i};
  return made;
}

TEST_F(WriterTest, EqualRingsAreBuiltOnceAndFreedWithTheLast) {
  int built = 0;
  const RingSource ring{77, [&built] {
                          ++built;
                          return std::vector<uint16_t>(1009, 3);
                        }};
  {
    Transaction change(*writer_);
    change.put(pool(1), members(4), &ring, nullptr);
    change.put(pool(2), members(4), &ring, nullptr);
    ASSERT_EQ(change.commit(1), Commit::published);
  }
  EXPECT_EQ(built, 1);
  const View view = writer_->view();
  EXPECT_EQ(view.pool(PoolId{1})->ring, view.pool(PoolId{2})->ring);
  EXPECT_EQ(view.ring(view.pool(PoolId{1})->ring)->entries()[1008], 3);
  restart();
  {
    Transaction change(*writer_);
    change.remove(PoolId{1});
    change.put(pool(2), members(4), &ring, nullptr);
    ASSERT_EQ(change.commit(2), Commit::published);
  }
  EXPECT_EQ(built, 1);
  {
    Transaction change(*writer_);
    change.remove(PoolId{2});
    ASSERT_EQ(change.commit(3), Commit::published);
  }
  expect_no_leak();
  EXPECT_LT(writer_->heap().used_bytes(), 8u << 10);
}

TEST_F(WriterTest, AFullRegionRefusesAndNothingHasHappened) {
  {
    Transaction change(*writer_);
    change.put(service(1), {}, 0);
    ASSERT_EQ(change.commit(1), Commit::published);
  }
  const uint64_t used = writer_->heap().used_bytes();
  const RingSource huge{1, [] { return std::vector<uint16_t>(20 << 20); }};
  {
    Transaction change(*writer_);
    change.put(service(2), {}, 0);
    change.put(pool(1), members(1), &huge, nullptr);
    EXPECT_EQ(change.commit(2), Commit::full);
  }
  EXPECT_EQ(writer_->generation(), 1u);
  EXPECT_EQ(writer_->heap().used_bytes(), used);
  EXPECT_EQ(writer_->view().service(service(2).key), nullptr);
  Transaction change(*writer_);
  change.put(service(2), {}, 0);
  EXPECT_EQ(change.commit(2), Commit::published);
}

TEST_F(WriterTest, ADroppedTransactionLeavesNoTrace) {
  const uint64_t used = writer_->heap().used_bytes();
  {
    Transaction change(*writer_);
    change.put(service(2), {}, 0);
  }
  EXPECT_EQ(writer_->heap().used_bytes(), used);
  EXPECT_EQ(writer_->generation(), 0u);
}

TEST_F(WriterTest, WhatAReaderMayReadIsNotReused) {
  const auto reader = Reader::attach(*region_, "worker 0");
  const auto push = [this](uint64_t revision) {
    Transaction change(*writer_);
    Service changed = service(1);
    changed.identity = revision;
    change.put(changed, {}, 0);
    ASSERT_EQ(change.commit(revision), Commit::published);
  };
  push(1);
  const View old = reader->latest();
  const Service* block = old.service(ServiceId{1});
  for (uint64_t revision = 2; revision < 100; ++revision) push(revision);
  EXPECT_EQ(block->identity, 1u);
  EXPECT_EQ(old.service(service(1).key), block);
  EXPECT_GT(writer_->heap().retired_bytes(), 100u << 10);
  EXPECT_EQ(reader->latest().service(ServiceId{1})->identity, 99u);
  writer_->reclaim();
  EXPECT_EQ(writer_->heap().retired_bytes(), 0u);
}

TEST_F(WriterTest, ANewWriterFindsEverythingAndLosesNothing) {
  std::vector<AddressId> snats(10);
  {
    Transaction change(*writer_);
    for (uint32_t i = 0; i < 500; ++i) change.put(service(i), snats, 10);
    LocalAddress local;
    local.address = net::Address::v4(1);
    local.id = AddressId{0};
    change.put(local);
    ASSERT_EQ(change.commit(9), Commit::published);
  }
  const uint64_t used = writer_->heap().used_bytes();
  restart();
  EXPECT_EQ(writer_->revision(), 9u);
  EXPECT_EQ(writer_->heap().used_bytes(), used);
  Transaction change(*writer_);
  for (uint32_t i = 0; i < 500; ++i) change.put(service(i), snats, 10);
  EXPECT_EQ(change.commit(9), Commit::unchanged);
  expect_no_leak();
}

}  // namespace
}  // namespace nezu::tables
