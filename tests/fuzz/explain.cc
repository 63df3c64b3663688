// Any frames, each explained before it comes: an explanation is sound and changes nothing, and what
// it says is what then happens, byte by byte.
//
// Input: frames, each behind three bytes: flags (bit 0: by the servers' port, bit 1: at worker 1,
// bit 2: a second passes first) and its length, big-endian; as of the target `path`.
#include <algorithm>
#include <cstdint>

#include "tests/path/lab.h"

namespace {

using namespace nezu;

constexpr size_t kMostFrames = 48;

void put_both(lab::Lab& lab, world::ServiceSpec spec, std::string_view vip6,
              std::vector<world::ServerSpec> servers6) {
  lab.world().put(spec);
  spec.vip = vip6;
  spec.servers = std::move(servers6);
  if (!spec.snats.empty()) spec.snats = {"fd00:1::a"};
  lab.world().put(spec);
}

/// Of each way to serve, one.
void configure(lab::Lab& lab) {
  world::ServiceSpec spec;
  for (const auto protocol : {net::Protocol::tcp, net::Protocol::udp}) {
    spec = {};
    spec.protocol = protocol;
    spec.servers = {{"10.0.1.5", 8080}, {"10.0.1.6", 8080}};
    spec.refusal = tables::Refusal::refuse;
    spec.scheduler = tables::Scheduler::wlc;
    spec.persistence.timeout_s = 60;
    put_both(lab, spec, "2001:db8::10", {{"fd00:1::5", 8080}});
    spec.port = 443;
    spec.mode = tables::Mode::fullnat;
    spec.snats = {"10.0.0.1"};
    spec.persistence = {};
    spec.limits.client.per_second = 2;
    spec.traffic.all.packets_per_second = 50;
    put_both(lab, spec, "2001:db8::10", {{"fd00:1::5", 8080}});
    spec.port = 82;
    spec.mode = tables::Mode::tunnel_ipip;
    spec.snats.clear();
    put_both(lab, spec, "2001:db8::10", {{"fd00:1::5", 0}});
  }
  spec = {};
  spec.port = 85;
  spec.mode = tables::Mode::fullnat;
  spec.servers = {{"fd00:1::5", 8080}};
  spec.snats = {"10.0.0.1", "fd00:1::a"};
  spec.client_address = tables::ClientAddress::proxy_v2;
  lab.world().put(spec);
  spec = {};
  spec.port = 95;
  spec.servers = {{"10.0.1.5", 8080}};
  spec.cookies.enabled = 1;
  lab.world().put(spec);
  spec = {};
  spec.vip = "93.0.0.0/8";
  spec.port = 0;
  spec.protocol = net::Protocol::any;
  spec.mode = tables::Mode::redirect;
  spec.servers = {{"10.0.1.5", 0}, {"10.0.1.6", 0}};
  spec.return_to_sender = true;
  spec.refusal = tables::Refusal::pass;
  lab.world().put(spec);
  world::RuleSpec rule;
  rule.networks = {"10.0.2.0/24"};
  rule.snats = {"203.0.113.1"};
  lab.world().put_rule(rule);
  tables::Settings settings;
  settings.transit = tables::Transit::forward;
  lab.world().settings(settings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  lab::Lab lab(2, {64, 64, 16});
  configure(lab);
  size_t frames = 0;
  for (size_t at = 0; at + 3 <= size && frames < kMostFrames; ++frames) {
    const uint8_t flags = bytes[at];
    const size_t length =
        std::min<size_t>(size_t{bytes[at + 1]} << 8 | bytes[at + 2], size - at - 3);
    at += 3;
    if ((flags & 4) != 0) lab.advance(1);
    const dsl::Frame frame(dsl::Bytes(bytes + at, bytes + at + length));
    at += length;
    lab.send_explained(frame, flags >> 1 & 1, flags & 1);
  }
  return 0;
}
