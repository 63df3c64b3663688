// Whether VIPs answer pings, which may depend on the pools of their services.
//
// For one compilation: what it has learnt of a pool it keeps. One thread.
#pragma once

#include <string>
#include <unordered_map>

#include "controlplane/compile/compile.h"

namespace nezu::compile {

class Pings {
 public:
  Pings(const config::Model& model, const Conditions& conditions)
      : model_(model), conditions_(conditions) {}

  /// The most willing of the services on one VIP decides.
  bool any_answers(const config::Names& services);

 private:
  struct Readiness {
    size_t members = 0, ready = 0;
  };

  bool answers(const v1::VirtualService& service);
  Readiness readiness_of(const std::string& name);

  const config::Model& model_;
  const Conditions& conditions_;
  std::unordered_map<std::string, Readiness> pools_;
};

}  // namespace nezu::compile
