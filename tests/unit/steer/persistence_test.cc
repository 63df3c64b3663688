#include "dataplane/steer/persistence.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <barrier>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "dataplane/steer/persistence_file.h"

namespace nezu::steer {
namespace {

constexpr net::Tick kSecond = net::kTicksPerSecond, kNow = 1000 * kSecond;
constexpr uint32_t kCapacity = 64;

PersistentClient client(uint32_t number) {
  return {7, net::Address::v4_raw(number), net::Instance::standard};
}
tables::ServerIdentity identity(uint16_t server) {
  return {net::Address::v4_raw(0x0a00u + server),
          net::Instance::standard,
          server,
          net::Protocol::tcp,
          {}};
}

class PersistenceTest : public testing::Test {
 protected:
  Persistence::Kept keep(uint32_t number, uint16_t server, net::Tick now = kNow, uint32_t life = 60,
                         uint16_t instead_of = Persistence::kNobody) {
    const PersistentClient who = client(number);
    return table_.keep(who, table_.hash(who), server, identity(server), instead_of, now, life);
  }
  uint16_t find(uint32_t number, net::Tick now = kNow) {
    return table_.find(table_.hash(client(number)), now);
  }

  std::vector<std::byte> memory_ = std::vector<std::byte>(Persistence::bytes(kCapacity));
  Persistence table_{memory_, kCapacity, 42};
};

TEST_F(PersistenceTest, AClientStaysUntilItsTimeIsOver) {
  EXPECT_EQ(find(1), Persistence::kNobody);
  EXPECT_EQ(keep(1, 5).server, 5);
  EXPECT_EQ(find(1), 5);
  EXPECT_EQ(find(2), Persistence::kNobody);
  EXPECT_EQ(find(1, kNow + 60 * kSecond), 5);
  EXPECT_EQ(find(1, kNow + 68 * kSecond), Persistence::kNobody);
}

TEST_F(PersistenceTest, WhoeverComesSecondTakesWhatStands) {
  EXPECT_EQ(keep(1, 5).server, 5);
  EXPECT_EQ(keep(1, 6).server, 5);
  EXPECT_EQ(find(1), 5);
}

TEST_F(PersistenceTest, AServerThatTakesNobodyIsReplacedOnce) {
  keep(1, 5);
  EXPECT_EQ(keep(1, 6, kNow, 60, 5).server, 6);
  // Another worker that still wanted to replace the first one.
  EXPECT_EQ(keep(1, 7, kNow, 60, 5).server, 6);
  EXPECT_EQ(table_.count(), 1u);
}

TEST_F(PersistenceTest, PacketsSinceThenCount) {
  keep(1, 5);
  const uint64_t hash = table_.hash(client(1));
  table_.touch(hash, kNow + 50 * kSecond, kNow + 40 * kSecond, 60);
  EXPECT_EQ(find(1, kNow + 100 * kSecond), 5);
  table_.touch(hash, kNow + 60 * kSecond, kNow + 1 * kSecond, 60);  // older: says nothing
  EXPECT_EQ(find(1, kNow + 100 * kSecond), 5);
  EXPECT_EQ(find(1, kNow + 108 * kSecond), Persistence::kNobody);
  table_.touch(hash, kNow + 109 * kSecond, kNow + 109 * kSecond, 60);  // too late
  EXPECT_EQ(find(1, kNow + 109 * kSecond), Persistence::kNobody);
}

TEST_F(PersistenceTest, ScopesAndInstancesHaveTheirOwn) {
  keep(1, 5);
  PersistentClient other = client(1);
  other.scope = 8;
  EXPECT_EQ(table_.find(table_.hash(other), kNow), Persistence::kNobody);
  other = client(1);
  other.instance = net::Instance{3};
  EXPECT_EQ(table_.find(table_.hash(other), kNow), Persistence::kNobody);
}

TEST_F(PersistenceTest, NoMarkOfAnInstanceIsAnothersElsewhere) {
  std::set<uint64_t> hashes;
  for (uint16_t mark = 1; mark < 40; ++mark) {
    for (uint16_t instance = 0; instance < 40; ++instance) {
      const PersistentClient who = {tables::scope_of_mark(mark), client(1).address,
                                    net::Instance{instance}};
      EXPECT_TRUE(hashes.insert(table_.hash(who)).second) << mark << " in " << instance;
    }
  }
}

TEST_F(PersistenceTest, AFullSetForgetsWhoWouldHaveEndedFirst) {
  uint32_t forgotten = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    forgotten += keep(i, 5, kNow, 60 + i).forgot ? 1 : 0;
    ASSERT_EQ(find(i), 5);
  }
  EXPECT_LE(table_.count(), kCapacity);
  EXPECT_EQ(forgotten, 1000 - table_.count());
  // In every set the last ones are left.
  EXPECT_EQ(find(999), 5);
  EXPECT_EQ(find(0), Persistence::kNobody);
}

TEST_F(PersistenceTest, ThoseWhoseTimeIsOverMakePlaceWithoutLoss) {
  for (uint32_t i = 0; i < 1000; ++i) {
    EXPECT_FALSE(keep(i, 5, kNow + i * 100 * kSecond, 10).forgot);
  }
}

TEST_F(PersistenceTest, ForgottenAndExpiredPlacesAreFree) {
  keep(1, 5);
  keep(2, 6, kNow, 600);
  table_.forget(table_.hash(client(1)), kNow);
  EXPECT_EQ(find(1), Persistence::kNobody);
  EXPECT_EQ(table_.count(), 1u);
  table_.expire(0, kCapacity, kNow + 500 * kSecond);
  EXPECT_EQ(table_.count(), 1u);
  table_.expire(0, kCapacity, kNow + 700 * kSecond);
  EXPECT_EQ(table_.count(), 0u);
}

TEST_F(PersistenceTest, EachTellsWhomWhereAndHowLong) {
  keep(1, 5, kNow, 60);
  keep(2, 6, kNow, 600);
  std::map<uint16_t, Persistence::Held> held;
  table_.each(0, kCapacity, kNow, [&](const Persistence::Held& one) { held[one.server] = one; });
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[5].client, client(1));
  EXPECT_EQ(held[5].identity, identity(5));
  EXPECT_GE(held[5].seconds_left, 60u);
  EXPECT_LE(held[5].seconds_left, 68u);
  EXPECT_EQ(held[6].client, client(2));
}

TEST_F(PersistenceTest, ServersHaveOtherSlotsInTheNextProcess) {
  keep(1, 5);
  keep(2, 6);
  Persistence next(memory_, kCapacity, 42);
  EXPECT_EQ(next.count(), 2u);
  next.adopt(kNow, [](const tables::ServerIdentity& server) {
    return server == identity(5) ? uint16_t{9} : Persistence::kNobody;
  });
  EXPECT_EQ(next.find(next.hash(client(1)), kNow), 9);
  EXPECT_EQ(next.find(next.hash(client(2)), kNow), Persistence::kNobody);
  EXPECT_EQ(next.count(), 1u);
}

TEST_F(PersistenceTest, WhatTheMemoryHoldsIsProvedBeforeItIsBelieved) {
  for (size_t i = 0; i < memory_.size(); ++i) memory_[i] = static_cast<std::byte>(i * 37 + i / 251);
  Persistence next(memory_, kCapacity, 42);
  next.adopt(kNow, [](const tables::ServerIdentity&) { return uint16_t{1}; });
  EXPECT_EQ(next.count(), 0u);
}

/// Workers hear of each client at once, each with a server of its own in mind.
TEST_F(PersistenceTest, WorkersAgree) {
  constexpr uint32_t kRounds = 500, kRoom = 8192;
  constexpr uint16_t kWorkers = 3;
  std::vector<std::byte> memory(Persistence::bytes(kRoom));
  Persistence table(memory, kRoom, 42);
  std::array<std::array<uint16_t, kRounds>, kWorkers> seen{};
  std::barrier start(kWorkers);
  const auto work = [&](uint16_t worker) {
    for (uint32_t i = 0; i < kRounds; ++i) {
      const PersistentClient who = client(i);
      start.arrive_and_wait();
      seen[worker][i] =
          table.keep(who, table.hash(who), worker, identity(worker), Persistence::kNobody, kNow, 60)
              .server;
    }
  };
  std::vector<std::thread> workers;
  for (uint16_t worker = 0; worker < kWorkers; ++worker) workers.emplace_back(work, worker);
  for (std::thread& worker : workers) worker.join();
  for (uint32_t i = 0; i < kRounds; ++i) {
    EXPECT_EQ(seen[0][i], seen[1][i]) << i;
    EXPECT_EQ(seen[0][i], seen[2][i]) << i;
  }
  EXPECT_EQ(table.count(), kRounds);
}

class PersistenceFileTest : public testing::Test {
 protected:
  PersistenceFileTest() { std::filesystem::create_directories(directory_); }
  ~PersistenceFileTest() override { std::filesystem::remove_all(directory_); }
  PersistenceFile::Options options(uint32_t capacity, uint8_t boot = 1) const {
    return {directory_, capacity, 99, {boot}, kNow};
  }
  static void put(Persistence& table, uint32_t number, uint16_t server) {
    const PersistentClient who = client(number);
    table.keep(who, table.hash(who), server, identity(server), Persistence::kNobody, kNow, 600);
  }
  static uint16_t find(const Persistence& table, uint32_t number) {
    return table.find(table.hash(client(number)), kNow);
  }
  const std::string directory_ =
      testing::TempDir() + "nezu-persistence-" + std::to_string(::getpid());
};

TEST_F(PersistenceFileTest, ClientsOutliveTheProcessAndAnotherSize) {
  {
    PersistenceFile file;
    ASSERT_TRUE(file.open(options(64))) << file.error();
    put(file.table(), 1, 5);
  }
  {
    PersistenceFile file;
    ASSERT_TRUE(file.open(options(64)));
    EXPECT_EQ(find(file.table(), 1), 5);
  }
  PersistenceFile file;
  ASSERT_TRUE(file.open(options(128)));
  EXPECT_EQ(file.table().capacity(), 128u);
  EXPECT_EQ(find(file.table(), 1), 5);
}

TEST_F(PersistenceFileTest, AnotherBootOrADamagedFileBeginsEmpty) {
  {
    PersistenceFile file;
    ASSERT_TRUE(file.open(options(64)));
    put(file.table(), 1, 5);
  }
  {
    PersistenceFile file;
    ASSERT_TRUE(file.open(options(64, 2)));
    EXPECT_EQ(file.table().count(), 0u);
  }
  std::filesystem::resize_file(directory_ + "/persistence", 100);
  PersistenceFile file;
  ASSERT_TRUE(file.open(options(64, 2))) << file.error();
  EXPECT_EQ(file.table().count(), 0u);
}

TEST_F(PersistenceFileTest, NoFolderIsSaidInASentence) {
  PersistenceFile file;
  PersistenceFile::Options nowhere = options(64);
  nowhere.directory += "/none";
  EXPECT_FALSE(file.open(nowhere));
  EXPECT_NE(file.error().find("cannot make"), std::string::npos) << file.error();
}

}  // namespace
}  // namespace nezu::steer
