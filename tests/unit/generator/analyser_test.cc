// What is counted of a trial: by hand, and against a wire that does known harm.
#include "bench/generator/analyser.h"

#include <gtest/gtest.h>

#include "bench/generator/impairment.h"

namespace nezu::generator {
namespace {

Reading stamped(uint32_t number, uint64_t time = 100, uint8_t trial = 1,
                uint8_t group = group_of(Way::to_right, 0)) {
  Reading reading;
  reading.kind = Kind::stamped;
  reading.stamp = {trial, group, number, time};
  return reading;
}

struct Counted {
  Analyser analyser;
  explicit Counted(uint64_t sent) {
    analyser.begin(1, {64, 512}, {});
    analyser.note_sent(group_of(Way::to_right, 0), sent);
  }
  TrialResult result() const {
    TrialResult result;
    analyser.fill(result);
    return result;
  }
};

TEST(Analyser, AllInOrder) {
  Counted counted(5);
  for (uint32_t i = 0; i < 5; ++i) counted.analyser.note(stamped(i, 100), 150 + i);
  const TrialResult result = counted.result();
  ASSERT_EQ(result.groups.size(), 2u);
  EXPECT_EQ(result.lost(), 0u);
  EXPECT_EQ(result.groups[0].latency.least(), 50u);
  EXPECT_EQ(result.groups[0].latency.most(), 54u);
  EXPECT_EQ(result.groups[1].sent, 0u);
}

TEST(Analyser, LossOrderAndDuplicatesAreToldApart) {
  Counted counted(6);
  for (const uint32_t number : {0, 2, 1, 2, 5, 5, 4}) counted.analyser.note(stamped(number), 200);
  const GroupCounts group = counted.result().groups[0];
  EXPECT_EQ(group.lost(), 1u);  // 3
  EXPECT_EQ(group.delivered, 5u);
  EXPECT_EQ(group.reordered, 2u);  // 1 and 4
  EXPECT_EQ(group.duplicates, 2u);
  EXPECT_EQ(group.extent, 2u);  // 1 came when 2 had: numbers 3 - 1
}

TEST(Analyser, FramesOfOtherTrialsCountForNothing) {
  Counted counted(1);
  counted.analyser.note(stamped(0, 100, 2), 200);
  counted.analyser.note(stamped(0, 100, 1, group_of(Way::to_left, 0)), 200);
  const TrialResult result = counted.result();
  EXPECT_EQ(result.stale, 2u);
  EXPECT_EQ(result.lost(), 1u);
}

TEST(Analyser, DamagedFramesAreNotDelivered) {
  Counted counted(1);
  Reading reading;
  reading.kind = Kind::corrupted;
  counted.analyser.note(reading, 200);
  EXPECT_EQ(counted.result().corrupted, 1u);
  EXPECT_EQ(counted.result().lost(), 1u);
}

TEST(Sequence, NumbersWrap) {
  Sequence sequence;
  // Up to the wrap in large steps; each is in order.
  for (uint64_t at = 0; at < (1ull << 32); at += 1u << 30) {
    EXPECT_EQ(sequence.note(static_cast<uint32_t>(at)), Sequence::Seen::in_order);
  }
  EXPECT_EQ(sequence.note(5), Sequence::Seen::in_order);  // 2^32 + 5
  EXPECT_EQ(sequence.note(5), Sequence::Seen::duplicate);
  EXPECT_EQ(sequence.note(4), Sequence::Seen::reordered);
  EXPECT_EQ(sequence.note(static_cast<uint32_t>(-3)), Sequence::Seen::reordered);
}

TEST(Sequence, WhatIsTooLateIsNotGuessed) {
  Sequence sequence;
  sequence.note(0);
  sequence.note(3'000'000);
  EXPECT_EQ(sequence.note(0), Sequence::Seen::beyond);
  EXPECT_EQ(sequence.note(2'999'999), Sequence::Seen::reordered);
}

// The wire and the analyser share no code: what one did the other must find.
TEST(Analyser, FindsWhatAKnownBadWireDid) {
  constexpr uint64_t kFrames = 200'000, kDelay = 5000;
  for (const uint64_t seed : {1, 2, 3}) {
    ImpairmentOptions harm;
    harm.lose = 0.01;
    harm.duplicate = 0.005;
    harm.damage = 0.003;
    harm.swap = 0.02;
    harm.delay = kDelay;
    harm.seed = seed;
    Impairment wire(harm);
    Counted counted(kFrames);
    std::vector<Reading> frames(kFrames);
    uint64_t now = 1;
    const auto arrive = [&] {
      while (void* frame = wire.due(now)) {
        counted.analyser.note(*static_cast<Reading*>(frame), now);
      }
    };
    for (uint32_t i = 0; i < kFrames; ++i, now += 10) {
      frames[i] = stamped(i, now);
      const Impairment::Fate fate = wire.receive(&frames[i], now);
      if (fate.damage != 0) frames[i].kind = Kind::corrupted;
      if (fate.duplicate) wire.queue_copy(&frames[i], now);
      arrive();
    }
    wire.let_go(now);
    now += kDelay;
    arrive();
    EXPECT_TRUE(wire.empty());
    const TrialResult result = counted.result();
    const ImpairmentCounts& did = wire.counts();
    EXPECT_GT(did.lost, 0u);
    EXPECT_GT(did.swapped, 0u);
    EXPECT_EQ(result.lost(), did.lost + did.damaged);
    EXPECT_EQ(result.corrupted, did.damaged);
    EXPECT_EQ(result.groups[0].duplicates, did.duplicated);
    EXPECT_EQ(result.groups[0].reordered, did.swapped);
    EXPECT_EQ(result.groups[0].latency.least(), kDelay);
    EXPECT_EQ(result.groups[0].beyond, 0u);
  }
}

}  // namespace
}  // namespace nezu::generator
