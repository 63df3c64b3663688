// Within api/: what calls that read named objects share.
#pragma once

#include <algorithm>
#include <string>

#include "controlplane/api/errors.h"
#include "controlplane/api/plans.h"
#include "controlplane/config/model.h"

namespace nezu::api {

inline grpc::Status not_found(const std::string& what, const std::string& name) {
  return {grpc::StatusCode::NOT_FOUND, missing(what, name)};
}

inline uint32_t page_size_of(uint32_t wanted) {
  return wanted == 0 ? 100 : std::min(wanted, 1000u);
}

/// One page of a table, by name. A token is the last name of the page before.
template <typename T, typename Wanted>
std::string page(const config::Table<T>& table, const std::string& token, uint32_t size,
                 google::protobuf::RepeatedPtrField<T>* out, Wanted wanted) {
  std::string last;
  for (auto at = token.empty() ? table.begin() : table.after(token); at != table.end(); ++at) {
    const T& object = *at->second;
    if (!wanted(object)) {
      continue;
    }
    if (static_cast<uint32_t>(out->size()) == size) {
      return last;
    }
    *out->Add() = object;
    last = at->first;
  }
  return {};
}

}  // namespace nezu::api
