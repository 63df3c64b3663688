#include "dataplane/admit/syn_cookies.h"
#include "tests/fuzz/begin.h"
#include "tests/fuzz/path_seeds.h"

namespace nezu::fuzz {

using namespace dsl;

namespace {

constexpr uint32_t kFirst = 100;

Bytes big32(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}
Bytes stamps(uint32_t value, uint32_t echo) {
  Bytes options = {1, 1, 8, 10};
  for (const uint32_t word : {value, echo}) {
    for (const uint8_t byte : big32(word)) options.push_back(byte);
  }
  return options;
}
Bytes all(uint32_t value, uint32_t echo) {
  Bytes options = {2, 4, 5, 180, 1, 3, 3, 9, 4, 2};
  for (const uint8_t byte : stamps(value, echo)) options.push_back(byte);
  return options;
}

}  // namespace

/// A handshake that a cookie takes over, until both sides have said something; and its ends.
void write_cookie_seeds(const std::filesystem::path& corpus) {
  const admit::SynCookies cookies(kCookieSeed);
  const auto cookie_for = [&](uint16_t port) {
    const net::Tuple4 tuple{net::parse_address("198.51.100.7")->v4_raw(),
                            net::parse_address("203.0.113.10")->v4_raw(),
                            net::swap16(40000),
                            net::swap16(port),
                            net::Instance::standard,
                            net::Protocol::tcp,
                            0};
    return cookies.make(tuple, kFirst, {1460, 9, true, true}, kBegin);
  };
  const auto [cookie, time] = cookie_for(95);
  const Step syn{0, eth() / kTo / tcp(40000, 95).syn().seq(kFirst).options(all(7, 0))};
  const Step third{
      0, eth() / kTo / tcp(40000, 95).seq(kFirst + 1).ack(cookie + 1).options(stamps(8, time))};
  const Step early{kOther, eth() / kTo / tcp(40000, 95).seq(kFirst).ack(cookie + 1) / "early"};
  write(corpus / "cookie_life",
        {syn,
         third,
         early,
         {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(9).ack(101).options(all(5, 8))},
         {kOther, eth() / kTo /
                      tcp(40000, 95).psh().seq(101).ack(cookie + 1).options(stamps(9, time)) /
                      "question"},
         {kServers,
          eth() / kFrom / tcp(8080, 40000).seq(10).ack(109).options(stamps(6, 9)) / "answer"},
         {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(9).ack(101).options(all(5, 8))},
         {kLater, eth() / kTo / tcp(40000, 95).fin().seq(109).ack(cookie + 7)}});
  write(corpus / "cookie_refused",
        {syn,
         third,
         {kServers, eth() / kFrom / tcp(8080, 40000).seq(77).ack(88)},
         {kServers | kOther, eth() / kFrom / tcp(8080, 40000).rst().seq(0).ack(101)}});
  write(corpus / "cookie_no_timestamps",
        {syn, third, {kServers, eth() / kFrom / tcp(8080, 40000).syn().seq(9).ack(101)}});
  std::vector<Step> silent = {syn, third};
  for (int i = 0; i < 40; ++i) silent.push_back({kLater, eth() / kTo / udp(9, 9) / "x"});
  write(corpus / "cookie_silent_server", silent);
  const auto [other, then] = cookie_for(96);
  write(corpus / "cookie_proxied",
        {{0, eth() / kTo / tcp(40000, 96).syn().seq(kFirst).options(all(7, 0))},
         {0, eth() / kTo / tcp(40000, 96).seq(kFirst + 1).ack(other + 1).options(stamps(8, then))},
         {kServers, eth() / ipv6("fd00:1::5", "fd00:1::a") /
                        tcp(8080, 1024).syn().seq(9).ack(101).options(all(5, 8))},
         {0, eth() / kTo / tcp(40000, 96).seq(101).ack(other + 1).options(stamps(8, then)) / "x"}});
}

}  // namespace nezu::fuzz
