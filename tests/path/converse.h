// Whole connections of two models of TCP over bad wires, from SYN to the last acknowledgement.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/path/wire.h"

namespace nezu::lab {

/// Records for flows whose numbers change.
struct Capacity : flow::Capacity {
  explicit Capacity(uint32_t records) : flow::Capacity{1024, 512, records} {}
};

inline std::string stream(std::mt19937& random, size_t length) {
  std::string text(length, 0);
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// Whole connections over bad wires: what the server reads is the header and the client's stream.
/// `may_be_silent`: some clients say nothing.
inline void converse(const world::ServiceSpec& spec, const Ends& ends, const std::string& header,
                     uint16_t workers, uint32_t seed, bool restarts, bool may_be_silent = true) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Lab lab(workers, Capacity(64));
  lab.world().put(spec);
  const std::string there =
      stream(random, may_be_silent && random() % 3 == 0 ? 0 : 1 + random() % 30000);
  const std::string back = stream(random, random() % 30000);
  const double bad = seed % 4 == 0 ? 0 : 0.02 * (seed % 4);
  const uint16_t size = ends.source.is_v4() && spec.servers[0].address[0] == '1' ? 1460 : 1440;
  Dialogue talk(lab, {bad, bad, 2 * bad}, seed, ends, TcpEnd(true, random(), there, size),
                TcpEnd(false, random(), back, size));
  ASSERT_TRUE(talk.run([&] { return talk.server().is_open(); })) << talk.complaint();
  for (int i = 0; restarts && i < 3; ++i) {
    talk.run([&, n = 0]() mutable { return ++n > 40; });
    ASSERT_EQ(lab.restart(static_cast<uint16_t>(1 + random() % 3)).dropped, 0u);
  }
  talk.run([&] { return talk.client().is_quiet() && talk.server().is_quiet(); });
  EXPECT_EQ(talk.server().heard().substr(0, header.size()), header);
  talk.client().close();
  talk.server().close();
  EXPECT_TRUE(talk.run([&] { return talk.client().is_done() && talk.server().is_done(); }))
      << talk.last_drop_;
  EXPECT_EQ(talk.complaint(), "");
  EXPECT_TRUE(talk.server().heard() == header + there) << talk.server().heard().size();
  EXPECT_TRUE(talk.client().heard() == back);
  EXPECT_EQ(lab.audit(), "");
  lab.advance(400);
  EXPECT_EQ(lab.flow_count(), 0u);
}

}  // namespace nezu::lab
