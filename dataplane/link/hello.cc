#include "dataplane/link/hello.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/headers.h"

namespace nezu::link {
namespace {

constexpr uint16_t kEtherExperiment = 0x88b5;
constexpr uint8_t kVersion = 1, kListens = 1;

struct Body {
  std::array<uint8_t, 4> magic{'n', 'e', 'z', 'u'};
  uint8_t version = kVersion;
  uint8_t flags = 0;
  uint8_t side = 0;
  uint8_t priority = 0;
  std::array<uint8_t, 6> mac{};
};
static_assert(sizeof(Body) == 14);

/// Where the body begins; 0: it is no hello.
size_t body_of(std::span<const uint8_t> frame) {
  size_t at = sizeof(net::Ethernet);
  if (frame.size() < at + sizeof(net::Vlan) + sizeof(Body)) return 0;
  const auto& ethernet = *reinterpret_cast<const net::Ethernet*>(frame.data());
  if (ethernet.destination != kHelloGroup) return 0;
  uint16_t type = ethernet.type;
  if (type == net::kEtherVlan) {
    type = reinterpret_cast<const net::Vlan*>(frame.data() + at)->type;
    at += sizeof(net::Vlan);
  }
  return type == kEtherExperiment ? at : 0;
}

}  // namespace

HelloFrame write_hello(const Hello& hello) {
  HelloFrame frame{};
  auto& ethernet = *reinterpret_cast<net::Ethernet*>(frame.data());
  ethernet.destination = kHelloGroup;
  ethernet.source = hello.id.mac;
  ethernet.type = kEtherExperiment;
  Body body;
  body.flags = hello.listens ? kListens : 0;
  body.side = static_cast<uint8_t>(hello.side);
  body.priority = hello.id.priority;
  body.mac = hello.id.mac.bytes;
  std::memcpy(frame.data() + sizeof(net::Ethernet), &body, sizeof body);
  return frame;
}

bool is_hello(std::span<const uint8_t> frame) { return body_of(frame) != 0; }

std::optional<Hello> read_hello(std::span<const uint8_t> frame) {
  const size_t at = body_of(frame);
  if (at == 0) return std::nullopt;
  Body body;
  std::memcpy(&body, frame.data() + at, sizeof body);
  if (body.magic != Body{}.magic || body.version != kVersion || body.side > 1) return std::nullopt;
  return Hello{{body.priority, {body.mac}},
               static_cast<BridgeSide>(body.side),
               (body.flags & kListens) != 0};
}

}  // namespace nezu::link
