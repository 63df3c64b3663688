#include "controlplane/config/journal.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "sample.h"

namespace nezu::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> reopened(const std::string& path) {
  return Journal(path).found().payloads;
}

std::string three_records(const Folder& folder) {
  const std::string path = folder.at("three");
  Journal journal(path);
  journal.append("first");
  journal.append("");
  journal.append(std::string(1000, 'x'));
  journal.sync();
  return read_file(path);
}

TEST(Journal, SumsAsTheRfcSays) {
  // RFC 3720 B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283u);
}

TEST(Journal, FindsWhatWasSynced) {
  const Folder folder;
  {
    Journal journal(folder.at("j"));
    journal.append("one");
    journal.append("two");
    journal.sync();
    journal.append("never synced");
  }
  EXPECT_THAT(reopened(folder.at("j")), ElementsAre("one", "two"));
}

TEST(Journal, GoesOnAfterATailTornAtAnyByte) {
  const Folder folder;
  const std::string bytes = three_records(folder);
  const std::vector<std::string> whole = read_records(bytes).payloads;
  ASSERT_EQ(whole.size(), 3u);
  const std::string path = folder.at("torn");
  for (size_t length = 0; length < bytes.size(); ++length) {
    write_bytes(path, std::string_view(bytes).substr(0, length));
    const size_t expected = length < 8 + 13 ? 0 : length < 8 + 13 + 8 ? 1 : 2;
    {
      Journal journal(path);
      ASSERT_EQ(journal.found().payloads.size(), expected) << length;
      for (size_t i = 0; i < expected; ++i) {
        ASSERT_EQ(journal.found().payloads[i], whole[i]);
      }
      journal.append("after");
      journal.sync();
    }
    const auto found = reopened(path);
    ASSERT_EQ(found.size(), expected + 1) << length;
    ASSERT_EQ(found.back(), "after");
  }
}

TEST(Journal, NeverTakesAChangedByteForAWholeRecord) {
  const Folder folder;
  const std::string bytes = three_records(folder);
  const std::vector<std::string> whole = read_records(bytes).payloads;
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string spoilt = bytes;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < changes; ++i) {
      spoilt[random() % spoilt.size()] ^= static_cast<char>(1 + random() % 255);
    }
    const Records records = read_records(spoilt);
    ASSERT_LE(records.payloads.size(), whole.size());
    for (size_t i = 0; i < records.payloads.size(); ++i) {
      ASSERT_EQ(records.payloads[i], whole[i]);
    }
    ASSERT_EQ(records.whole_bytes + records.lost_bytes, spoilt.size());
  }
}

TEST(Journal, IgnoresATailOfZeros) {
  const Folder folder;
  const std::string bytes = three_records(folder);
  const Records records = read_records(bytes + std::string(4096, '\0'));
  EXPECT_EQ(records.payloads.size(), 3u);
  EXPECT_EQ(records.lost_bytes, 4096u);
}

TEST(Journal, KeepsWhatItCutsOff) {
  const Folder folder;
  const std::string path = folder.at("j");
  write_bytes(path, three_records(folder) + "garbage");
  EXPECT_EQ(reopened(path).size(), 3u);
  EXPECT_EQ(read_file(path + ".damaged"), "garbage");
}

TEST(Journal, ForgetsWhatIsBefore) {
  const Folder folder;
  {
    Journal journal(folder.at("j"));
    journal.append("one");
    journal.sync();
    const uint64_t behind_one = journal.bytes();
    journal.append("two");
    journal.sync();
    journal.forget_before(behind_one);
    journal.append("three");
    journal.sync();
  }
  EXPECT_THAT(reopened(folder.at("j")), ElementsAre("two", "three"));
  Journal journal(folder.at("j"));
  journal.forget_before(journal.bytes());
  EXPECT_THAT(reopened(folder.at("j")), ElementsAre());
}

TEST(Journal, SaysWhyItCannotBeOpened) {
  EXPECT_THROW(Journal("/nonexistent/folder/j"), std::system_error);
}

TEST(WriteFile, ReplacesAsAWhole) {
  const Folder folder;
  write_file(folder.at("f"), {"old"});
  write_file(folder.at("f"), {"new", "er"});
  EXPECT_THAT(read_records(read_file(folder.at("f"))).payloads, ElementsAre("new", "er"));
  EXPECT_THAT(read_file(folder.at("missing")), IsEmpty());
}

}  // namespace
}  // namespace nezu::config
