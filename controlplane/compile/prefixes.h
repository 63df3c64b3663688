// Within compile/: lists of prefixes and of interfaces as configurations write them.
#pragma once

#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/tables/make_rules.h"
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

inline std::vector<tables::Interface> interfaces_of(
    const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::vector<tables::Interface> interfaces;
  interfaces.reserve(static_cast<size_t>(list.size()));
  for (const std::string& text : list) {
    interfaces.push_back(tables::interface_of(text));
  }
  return interfaces;
}

}  // namespace nezu::compile
