// SYN cookies: whole connections over bad wires.
#include "tests/path/cookies.h"

namespace nezu::lab {
namespace {

/// A client that says nothing and whose acknowledgement is lost is not known here, nor to anybody:
/// that is what a cookie costs. The models do not heed the closed window: what comes out of order
/// brings no cookie and must not be refused loudly.
void converse(world::ServiceSpec spec, const Ends& ends, const std::string& header, uint32_t seed,
              bool restarts) {
  spec.refusal = tables::Refusal::drop;
  lab::converse(spec, ends, header, static_cast<uint16_t>(1 + seed % 3), seed, restarts, false);
}

TEST(CookiesOverBadWires, BothStreamsComeWhole) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    converse(guarded(), from_v4(), "", seed, false);
  }
}

TEST(CookiesOverBadWires, InFullNatBehindRestarts) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    converse(guarded(tables::Mode::fullnat), from_v4(), "", seed, true);
  }
}

TEST(CookiesOverBadWires, OverIpv6) {
  world::ServiceSpec spec = guarded(tables::Mode::fullnat);
  spec.vip = "2001:db8::10";
  spec.servers = {{"2001:db8:1::5", 8080}};
  spec.snats = {"2001:db8:0:1::1"};
  for (uint32_t seed = 0; seed < 40; ++seed) converse(spec, from_v6(), "", seed, false);
}

TEST(CookiesOverBadWires, BetweenFamiliesAndBehindAProxyHeader) {
  world::ServiceSpec spec = guarded(tables::Mode::fullnat);
  spec.vip = "2001:db8::10";
  spec.snats = {"10.0.0.1"};
  for (uint32_t seed = 0; seed < 40; ++seed) converse(spec, from_v6(), "", seed, false);
  spec = guarded(tables::Mode::fullnat);
  spec.client_address = tables::ClientAddress::proxy_v2;
  const std::string header(
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x12\0\x07\xcb\0\x71\x0a\x9c\x40\0\x50", 28);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    converse(spec, from_v4(), header, seed, seed % 2 == 0);
  }
}

}  // namespace
}  // namespace nezu::lab
