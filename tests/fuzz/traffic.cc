// Any bytes as what the traffic generator receives, or as a mix that somebody wrote: nothing is
// read out of bounds, what is called stamped is what would be written for it, and connections bear
// it.
//
// Input: one byte (odd: a mix, as text; even: a frame), then the rest.
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "bench/generator/connections.h"
#include "bench/generator/mix.h"
#include "bench/generator/neighbours.h"
#include "bench/generator/reading.h"

namespace {

using namespace nezu;
using namespace nezu::generator;

void check(bool holds) {
  if (!holds) std::abort();
}

void read_mix(std::string_view text) {
  try {
    const Mix mix = parse_mix(text, 1518);
    check(!mix.pattern.empty() && !mix.sizes.empty() && mix.sizes.size() <= kMostSizes);
    for (const uint8_t size : mix.pattern) check(size < mix.sizes.size());
    for (const uint32_t size : mix.sizes) check(size >= 64 && size <= kLongestFrame);
  } catch (const std::invalid_argument& refused) {
    check(std::string_view(refused.what()).size() > 10);
  }
}

void check_stamped(std::span<const uint8_t> frame, const Reading& reading) {
  check(reading.stamp.group < kGroups);
  const Tuple flow = tuple_of(frame, reading);
  const Headers headers = make_headers(flow, {});
  const uint32_t payload = uint32_t{reading.end} - reading.l4 - 8;
  check(payload >= kStampBytes);
  if (payload + headers.length + 4 > kLongestFrame) return;
  const Body body = make_body(headers, payload + headers.length + 4);
  std::vector<uint8_t> again(body.frame);
  write_frame(again.data(), headers, body, reading.stamp);
  check(read_frame(again).kind == Kind::stamped);
}

void meet(const std::vector<uint8_t>& frame) {
  ConnectionOptions options;
  options.clients = *net::parse_range("192.0.2.1-192.0.2.2");
  options.client_ports = {10000, 10001};
  options.targets = {*net::parse_address("198.51.100.1")};
  options.most = 4;
  options.hz = 1000;
  Connections connections(options);
  connections.open(1000, 4, false, 1);
  uint64_t now = 2;
  Segment out;
  const Reading reading = read_frame(frame);
  for (int i = 0; i < 4; ++i, now += 2000) {
    connections.turn(now);
    while (connections.take(Way::to_right, out) || connections.take(Way::to_left, out)) {
    }
    if (reading.kind == Kind::tcp) connections.receive(read_segment(frame, reading), now);
    check(connections.alive() <= 4);
  }
}

void read_frame_of(std::vector<uint8_t> frame) {
  const Reading reading = read_frame(frame);
  if (reading.kind == Kind::stamped) check_stamped(frame, reading);
  meet(frame);
  const std::vector<net::Range> played{*net::parse_range("192.0.2.0/24"),
                                       *net::parse_range("2001:db8::/64")};
  static_cast<void>(learn_neighbour(frame, played[0].first));
  const auto length = static_cast<uint32_t>(frame.size());
  const uint32_t room = length + 64;
  frame.resize(room);
  check(answer_neighbour(frame.data(), length, room, played, {}) <= room);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0 || size > 20000) return 0;
  if (bytes[0] % 2 == 1) {
    read_mix({reinterpret_cast<const char*>(bytes) + 1, size - 1});
  } else {
    read_frame_of({bytes + 1, bytes + size});
  }
  return 0;
}
