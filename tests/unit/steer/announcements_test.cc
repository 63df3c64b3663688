#include "dataplane/steer/announcements.h"

#include <gtest/gtest.h>

#include <thread>

namespace nezu::steer {
namespace {

Announcement one(uint16_t port, uint16_t near_port, net::Tick until = 100) {
  Announcement announcement;
  announcement.awaited = {*net::parse_address("192.0.2.7"), *net::parse_address("203.0.113.10"),
                          port, net::Instance::standard, net::Protocol::tcp};
  announcement.near = *net::parse_address("10.0.1.5");
  announcement.near_port = near_port;
  announcement.until = until;
  return announcement;
}

TEST(Announcements, EverybodySeesThemUntilTheirTimeIsOver) {
  Announcements all(3);
  EXPECT_FALSE(all.any());
  ASSERT_TRUE(all.put(1, one(40000, 7), 10));
  Announcement found;
  ASSERT_TRUE(all.find(one(40000, 0).awaited, 10, found));
  EXPECT_EQ(found.near_port, 7);
  EXPECT_FALSE(all.find(one(40001, 0).awaited, 10, found));
  EXPECT_FALSE(all.find(one(40000, 0).awaited, 100, found));
  EXPECT_EQ(all.count(1), 1u);
  for (uint32_t i = 0; i < Announcements::kPlaces; ++i) all.expire(1, 99);
  EXPECT_TRUE(all.any());
  for (uint32_t i = 0; i < Announcements::kPlaces; ++i) all.expire(1, 100);
  EXPECT_FALSE(all.any());
}

TEST(Announcements, ANewerOneForTheSameTakesItsPlace) {
  Announcements all(1);
  all.put(0, one(40000, 7), 10);
  all.put(0, one(40000, 8, 200), 10);
  Announcement found;
  ASSERT_TRUE(all.find(one(40000, 0).awaited, 150, found));
  EXPECT_EQ(found.near_port, 8);
  EXPECT_EQ(all.count(0), 1u);
}

/// The same ends in two instances are two.
TEST(Announcements, InstancesHaveTheirOwn) {
  Announcements all(2);
  const auto in = [](net::Instance instance, uint16_t near_port) {
    Announcement announcement = one(40000, near_port);
    announcement.awaited.instance = instance;
    return announcement;
  };
  constexpr net::Instance kRed{10}, kBlue{60000};
  all.put(0, in(kRed, 7), 10);
  Announcement found;
  EXPECT_FALSE(all.find(in(net::Instance::standard, 0).awaited, 10, found));
  EXPECT_FALSE(all.find(in(kBlue, 0).awaited, 10, found));
  all.put(0, in(kBlue, 8), 10);
  all.put(1, in(net::Instance::standard, 9), 10);
  EXPECT_EQ(all.count(0), 2u) << "none took another's place";
  for (const auto& [instance, port] :
       {std::pair{kRed, 7}, std::pair{kBlue, 8}, std::pair{net::Instance::standard, 9}}) {
    ASSERT_TRUE(all.find(in(instance, 0).awaited, 10, found));
    EXPECT_EQ(found.near_port, port);
    EXPECT_EQ(found.awaited.instance, instance);
  }
}

TEST(Announcements, AFullBoardRefusesAndHasRoomAgain) {
  Announcements all(1);
  uint32_t put = 0;
  for (uint32_t port = 1; port < 65536; ++port)
    put += all.put(0, one(static_cast<uint16_t>(port), 1), 10);
  EXPECT_GT(put, Announcements::kPlaces / 2);
  EXPECT_LE(put, Announcements::kPlaces);
  EXPECT_EQ(all.count(0), put);
  uint32_t again = 0;
  for (uint32_t port = 1; port < 65536; ++port) {
    again += all.put(0, one(static_cast<uint16_t>(port), 1, 300), 200);
  }
  EXPECT_EQ(again, put);
  EXPECT_EQ(all.count(0), put);
}

/// What is read is whole, whenever it is read.
TEST(Announcements, AReaderNeverSeesHalfOfOne) {
  Announcements all(1);
  std::atomic<bool> over{false};
  std::thread writer([&] {
    for (uint16_t i = 1; i < 20000; ++i) {
      Announcement next = one(40000, i);
      next.far_port = next.server = next.service = i;
      all.put(0, next, 10);
    }
    over = true;
  });
  while (!over) {
    Announcement found;
    if (!all.find(one(40000, 0).awaited, 10, found)) continue;
    ASSERT_EQ(found.near_port, found.far_port);
    ASSERT_EQ(found.near_port, found.service);
  }
  writer.join();
}

}  // namespace
}  // namespace nezu::steer
