// Within compile/: lists of prefixes and of interfaces as configurations write them.
#pragma once

#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/tables/interface.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::compile {

/// What is none is left out; validation has seen to it that nothing is.
inline std::vector<net::Prefix> prefixes_of(
    const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::vector<net::Prefix> prefixes;
  prefixes.reserve(static_cast<size_t>(list.size()));
  for (const std::string& text : list) {
    if (const auto prefix = net::parse_prefix(text)) {
      prefixes.push_back(*prefix);
    }
  }
  return prefixes;
}

/// "front", or "front.100".
inline std::vector<tables::Interface> interfaces_of(
    const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::vector<tables::Interface> interfaces;
  interfaces.reserve(static_cast<size_t>(list.size()));
  for (const std::string& text : list) {
    const size_t dot = text.find('.');
    tables::Interface& interface = interfaces.emplace_back();
    interface.port = tables::port_identity(std::string_view(text).substr(0, dot));
    if (dot != std::string::npos) {
      interface.vlan = static_cast<uint16_t>(std::stoi(text.substr(dot + 1)));
    }
  }
  return interfaces;
}

}  // namespace nezu::compile
