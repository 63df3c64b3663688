#include "controlplane/config/store.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <random>

#include "controlplane/config/diff.h"
#include "sample.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

store::Edit weight_edit(const Store& store, uint32_t weight) {
  store::Edit edit;
  *edit.add_pools() = *store.model().pools().find("web");
  edit.mutable_pools(0)->mutable_servers(0)->set_weight(weight);
  return edit;
}

uint32_t weight_in(const v1::Configuration& configuration) {
  for (const v1::Pool& pool : configuration.pools()) {
    if (pool.name() == "web") {
      return pool.servers(0).weight();
    }
  }
  return 0;
}

void put_sample(Store& store) {
  Problems problems;
  const Staged staged = store.stage(edit_to(store.model(), sample(), problems), {"uid 0", "first"});
  ASSERT_EQ(text_of(staged.problems), "");
  ASSERT_TRUE(staged.changed);
  store.sync();
}

void put_weight(Store& store, uint32_t weight) {
  ASSERT_TRUE(store.stage(weight_edit(store, weight), {"uid 0", std::to_string(weight)}).changed);
  store.sync();
}

TEST(Store, ComesBackAsItWas) {
  const Folder folder;
  std::string before;
  {
    Store store(folder.path());
    EXPECT_EQ(store.revision(), 0u);
    put_sample(store);
    put_weight(store, 7);
    before = to_yaml(store.model().ordered());
  }
  const Store store(folder.path());
  EXPECT_EQ(store.revision(), 2u);
  EXPECT_THAT(store.notes(), IsEmpty());
  EXPECT_EQ(to_yaml(store.model().ordered()), before);
  EXPECT_EQ(store.history(10)[0].comment(), "7");
  EXPECT_EQ(store.history(10)[1].author(), "uid 0");
}

TEST(Store, KeepsWhatWasSyncedWhereverTheJournalIsTorn) {
  const Folder folder;
  std::vector<uint64_t> sizes;
  {
    Store store(folder.path());
    put_sample(store);
    sizes.push_back(store.journal_bytes());
    for (uint32_t weight = 2; weight < 6; ++weight) {
      put_weight(store, weight);
      sizes.push_back(store.journal_bytes());
    }
  }
  const std::string bytes = read_file(folder.at("journal.bin"));
  for (size_t length = 0; length <= bytes.size(); ++length) {
    std::ofstream(folder.at("journal.bin"), std::ios::binary | std::ios::trunc)
        << bytes.substr(0, length);
    const Store store(folder.path());
    uint64_t expected = 0;
    while (expected < sizes.size() && sizes[expected] <= length) {
      ++expected;
    }
    ASSERT_EQ(store.revision(), expected) << length;
    if (expected > 1) {
      ASSERT_EQ(weight_in(store.model().ordered()), expected);
    }
  }
}

TEST(Store, NeverCrashesOnASpoiltJournal) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    for (uint32_t weight = 2; weight < 6; ++weight) {
      put_weight(store, weight);
    }
  }
  const std::string bytes = read_file(folder.at("journal.bin"));
  std::mt19937 random(3);
  for (int round = 0; round < 150; ++round) {
    std::string spoilt = bytes;
    spoilt[random() % spoilt.size()] ^= static_cast<char>(1 + random() % 255);
    std::ofstream(folder.at("journal.bin"), std::ios::binary | std::ios::trunc) << spoilt;
    const Store store(folder.path());
    ASSERT_LE(store.revision(), 5u);
    ASSERT_FALSE(store.notes().empty());
  }
}

TEST(Store, RefusesToStartFromADamagedFile) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    store.compact();
  }
  std::string bytes = read_file(folder.at("configuration.bin"));
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(folder.at("configuration.bin"), std::ios::binary) << bytes;
  try {
    Store store(folder.path());
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("configuration.bin is damaged"));
  }
}

TEST(Store, CompactsWithoutLosingHistory) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    for (uint32_t weight = 2; weight < 150; ++weight) {
      put_weight(store, weight);
      if (weight % 40 == 0) {
        store.compact();
      }
    }
  }
  const Store store(folder.path());
  EXPECT_EQ(store.revision(), 149u);
  EXPECT_EQ(store.history(1000).size(), kKeptRevisions);
  EXPECT_EQ(weight_in(*store.configuration_at(60)), 60u);
  EXPECT_EQ(weight_in(*store.configuration_at(149)), 149u);
  EXPECT_FALSE(store.configuration_at(48).has_value());
  EXPECT_FALSE(store.configuration_at(150).has_value());
}

TEST(Store, CompactsBesideChangesAndLosesNone) {
  const Folder folder;
  uint32_t weight = 2;
  {
    Store store(folder.path());
    put_sample(store);
    const std::string fat(4000, 'x');
    while (store.journal_bytes() < 5'000'000) {
      ASSERT_TRUE(store.stage(weight_edit(store, weight), {"me", ""}).changed);
      for (int i = 0; i < 50; ++i) {
        store::Edit edit;
        v1::SnatSet& set = *edit.add_snat_sets();
        set.set_name("set");
        set.add_addresses("198.51.100." +
                          std::to_string(1 + (weight + static_cast<uint32_t>(i)) % 200));
        ASSERT_TRUE(store.stage(edit, {fat, ""}).changed);
      }
      store.sync();
      ++weight;
    }
    bool has_shrunk = false;
    for (int i = 0; !has_shrunk && i < 10'000; ++i) {
      store.compact_if_due();
      put_weight(store, weight++);
      has_shrunk = store.journal_bytes() < 5'000'000;
      // Whatever has reached the disk is enough, at any moment.
      std::filesystem::copy(folder.path(), folder.at("crashed"));
      std::filesystem::remove(folder.at("crashed/configuration.lock"));
      const Store after_crash(folder.at("crashed"));
      ASSERT_EQ(weight_in(after_crash.model().ordered()), weight - 1);
      ASSERT_EQ(after_crash.revision(), store.revision());
      std::filesystem::remove_all(folder.at("crashed"));
    }
    EXPECT_TRUE(has_shrunk);
    put_weight(store, weight);
  }
  const Store store(folder.path());
  EXPECT_THAT(store.notes(), IsEmpty());
  EXPECT_EQ(weight_in(store.model().ordered()), weight);
  EXPECT_EQ(weight_in(*store.configuration_at(store.revision() - 1)), weight - 1);
}

TEST(Store, SurvivesACrashBetweenFileAndJournal) {
  const Folder folder;
  std::string journal;
  {
    Store store(folder.path());
    put_sample(store);
    put_weight(store, 2);
    ASSERT_TRUE(store.stage(weight_edit(store, 3), {}).changed);
    store.sync();
    store.abort(3);
    put_weight(store, 4);
    journal = read_file(folder.at("journal.bin"));
    store.compact();
  }
  // The full file is new, the journal was not emptied yet.
  std::ofstream(folder.at("journal.bin"), std::ios::binary) << journal;
  Store store(folder.path());
  EXPECT_EQ(store.revision(), 3u);
  EXPECT_EQ(weight_in(store.model().ordered()), 4u);
  put_weight(store, 5);
}

TEST(Store, OneChangeJournalsItselfWhateverElseThereIs) {
  for (const int count : {1, 3000}) {
    const Folder folder;
    Store store(folder.path());
    put_sample(store);
    store::Edit edit;
    for (int i = 0; i < count; ++i) {
      v1::VirtualService& service = *edit.add_services();
      service.set_name("service" + std::to_string(i));
      service.set_address("198.51.100.1");
      service.set_port(1 + static_cast<uint32_t>(i));
      service.set_pool("web");
    }
    ASSERT_TRUE(store.stage(edit, {}).changed);
    store.sync();
    const uint64_t before = store.journal_bytes();
    put_weight(store, 9);
    EXPECT_LT(store.journal_bytes() - before, 300u) << count;
  }
}

TEST(Store, TakesBackWhatCouldNotBePublished) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    store.stage(weight_edit(store, 8), {});
    store.stage(weight_edit(store, 9), {});
    store.sync();
    EXPECT_EQ(store.revision(), 3u);
    store.abort(2);
    EXPECT_EQ(store.revision(), 1u);
    EXPECT_EQ(weight_in(store.model().ordered()), 1u);
  }
  const Store store(folder.path());
  EXPECT_EQ(store.revision(), 1u);
  EXPECT_EQ(weight_in(store.model().ordered()), 1u);
}

TEST(Store, ForgetsWhatWasStagedAndNeverSynced) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    store.stage(weight_edit(store, 8), {});
    store.abort(2);
    EXPECT_EQ(store.revision(), 1u);
    put_weight(store, 9);
  }
  const Store store(folder.path());
  EXPECT_EQ(store.revision(), 2u);
  EXPECT_EQ(weight_in(store.model().ordered()), 9u);
}

TEST(Store, ChangesNothingForNothing) {
  const Folder folder;
  Store store(folder.path());
  put_sample(store);
  Problems problems;
  const Staged staged = store.stage(edit_to(store.model(), sample(), problems), {});
  EXPECT_FALSE(staged.changed);
  EXPECT_EQ(staged.revision, 1u);
  EXPECT_FALSE(store.stage(weight_edit(store, 1), {}).changed);
}

TEST(Store, ChangesNothingWhenOneThingIsWrong) {
  const Folder folder;
  Store store(folder.path());
  put_sample(store);
  const std::string before = to_yaml(store.model().ordered());
  store::Edit edit = weight_edit(store, 70000);
  edit.add_removed_services("shop");
  const Staged staged = store.stage(edit, {});
  EXPECT_FALSE(staged.changed);
  EXPECT_EQ(staged.problems.size(), 1u);
  EXPECT_EQ(to_yaml(store.model().ordered()), before);
  EXPECT_TRUE(store.try_out(weight_edit(store, 70)).changed);
  EXPECT_EQ(to_yaml(store.model().ordered()), before);
}

/// A disk that has room for `bytes` more in a file.
class FullDisk {
 public:
  explicit FullDisk(uint64_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

TEST(Store, TakesBackWhatTheDiskDidNotTake) {
  const Folder folder;
  {
    Store store(folder.path());
    put_sample(store);
    {
      const FullDisk full(store.journal_bytes() + 20);
      store.stage(weight_edit(store, 8), {});
      EXPECT_THROW(store.sync(), std::system_error);
    }
    EXPECT_EQ(store.revision(), 1u);
    EXPECT_EQ(weight_in(store.model().ordered()), 1u);
    put_weight(store, 9);
  }
  const Store store(folder.path());
  EXPECT_THAT(store.notes(), IsEmpty());
  EXPECT_EQ(store.revision(), 2u);
  EXPECT_EQ(weight_in(store.model().ordered()), 9u);
}

TEST(Store, LetsNobodyElseIn) {
  const Folder folder;
  const Store store(folder.path());
  try {
    Store second(folder.path());
    FAIL() << "two at once";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("in use by another control plane"));
  }
}

}  // namespace
}  // namespace nezu::config
