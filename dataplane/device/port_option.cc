// What an operator says of a port.
#include <charconv>
#include <stdexcept>
#include <string_view>

#include "dataplane/device/ports.h"

namespace nezu::device {
namespace {

constexpr uint16_t kLeastMtu = 1280, kMostMtu = 9216;  // RFC 8200 5 wants 1280
constexpr uint16_t kMostQueues = 64;

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw std::invalid_argument("\"" + text + "\": " + why);
}

uint16_t number(const std::string& text, const std::string& key, const std::string& value,
                uint16_t least, uint16_t most) {
  uint16_t read = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), read);
  if (error != std::errc() || end != value.data() + value.size() || read < least || read > most) {
    refuse(text,
           key + " is a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return read;
}

void set(PortOption& option, const std::string& text, const std::string& key,
         const std::string& value) {
  if (key == "name") {
    option.name = value;
  } else if (key == "dev") {
    option.device = value;
  } else if (key == "mtu") {
    option.mtu = number(text, key, value, kLeastMtu, kMostMtu);
  } else if (key == "queues") {
    option.queues = number(text, key, value, 1, kMostQueues);
  } else if (key == "side") {
    if (value != "clients" && value != "servers") refuse(text, "side is clients or servers");
    option.side = value == "clients" ? Side::clients : Side::servers;
  } else if (key == "offloads") {
    if (value != "on" && value != "off") refuse(text, "offloads is on or off");
    option.offloads = value == "on";
  } else {
    refuse(text, "\"" + key + "\" is none of name=, dev=, mtu=, queues=, side=, offloads=");
  }
}

}  // namespace

PortOption parse_port(const std::string& text) {
  PortOption option;
  size_t from = 0;
  while (from <= text.size()) {
    const size_t to = std::min(text.find(',', from), text.size());
    const std::string word = text.substr(from, to - from);
    const size_t equals = word.find('=');
    set(option, text, word.substr(0, equals),
        equals == std::string::npos ? "" : word.substr(equals + 1));
    from = to + 1;
  }
  if (option.name.empty() || option.device.empty()) refuse(text, "a port needs name= and dev=");
  return option;
}

}  // namespace nezu::device
