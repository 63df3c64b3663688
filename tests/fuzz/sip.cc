// Any datagram as a SIP message: what was read lies within it; as it is named, it comes out the
// same where nobody has another name; named anew it is a good message of the same call with the
// same streams, and named back it says what it had said.
//
// Input: the datagram.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dataplane/alg/sip.h"

namespace {

using namespace nezu;
using State = alg::SipMessage::State;

void require(bool good, const char* what, std::string_view text) {
  if (good) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

net::Address address(std::string_view text) { return *net::parse_address(text); }

std::string written(std::string_view text, const alg::SipMessage& message,
                    const alg::SipNames& names) {
  static std::string room(alg::kMostSipText, '\0');
  return room.substr(0, alg::write_sip(text, message, names, {room.data(), room.size()}));
}

void check(std::string_view text) {
  const alg::SipMessage message = alg::read_sip(text);
  if (message.state != State::good) return;
  require(message.body <= text.size() && message.body_length <= text.size() - message.body &&
              message.media_count <= alg::kMostSipMedia && !message.call_id.empty() &&
              message.call_id.data() >= text.data() &&
              message.call_id.data() + message.call_id.size() <= text.data() + text.size(),
          "bounds", text);
  alg::SipNames names;
  names.swaps[0] = {address("203.0.113.10"), address("10.0.1.5"), 5060, 5070};
  names.swaps[1] = {address("192.0.2.7"), address("fd00::1"), 40000, 2048};
  names.own = address("192.0.2.7");
  names.told = address("fd00::1");
  alg::SipMessage told = message;
  for (uint32_t i = 0; i < told.media_count; ++i) {
    if (told.media[i].port == 0) continue;
    told.media[i].told_port = static_cast<uint16_t>(20000 + 4 * i);
    told.media[i].told_control_port = static_cast<uint16_t>(20000 + 4 * i + i % 2 + 1);
  }
  const std::string said = written(text, told, names);
  if (said.empty()) return;  // no room
  const alg::SipMessage again = alg::read_sip(said);
  require(again.state == State::good && again.call_id == message.call_id &&
              again.is_request == message.is_request && again.media_count == message.media_count,
          "named anew", text);
  for (uint32_t i = 0; i < told.media_count; ++i) {
    require(again.media[i].port == told.media[i].told_port, "a stream", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // In a buffer of exactly its size, so that a read behind it is seen.
  const size_t length = size < 10000 ? size : 10000;
  const auto text = std::make_unique<char[]>(length);
  if (length != 0) std::memcpy(text.get(), bytes, length);
  check({text.get(), length});
  (void)alg::is_keep_alive({text.get(), length});
  return 0;
}
