// Which objects of the region a change may make different: their keys, not what becomes of them.
//
// An edit names services, pools and SNAT sets; what depends on them (the addresses, the servers,
// the services of an SNAT set, the pings that follow a pool) is found here, by the model's indices.
// So everything behind it costs what was touched. Touching too much is harmless: what turns out
// equal is not written. Pure.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "controlplane/config/model.h"

namespace nezu::compile {

struct AddressKey {
  net::Instance instance = net::Instance::standard;
  net::Address address;
  uint8_t host_bits = 0;  ///< of a prefix: low bits that do not count
  auto operator<=>(const AddressKey&) const = default;
};

struct Touched {
  bool everything = false;   ///< also whatever the region shows
  bool memberships = false;  ///< of links in network instances
  bool instance_access = false;
  std::set<std::string> services, pools;
  std::set<tables::ServerIdentity> servers;
  std::set<AddressKey> addresses;
  std::set<std::string> rules;  ///< of source NAT
  bool matches = false;         ///< who opens flows of rules

  /// `edit` led to `after`, and `undo` leads back.
  void add_change(const config::Model& after, const store::Edit& edit, const store::Edit& undo);
  /// A health check has decided otherwise than before about `server`.
  void add_verdict(const config::Model& model, const tables::ServerIdentity& server);
  /// What `server` says of its weight in `pool` is different.
  void add_share(const config::Model& model, const std::string& pool,
                 const tables::ServerIdentity& server);
  void add_everything(const config::Model& model);

 private:
  void add(const v1::VirtualService& service);
  void add(const v1::Pool& pool);
  void add(const v1::SnatSet& set);
  void add(const v1::SourceNat& rule);
  void add_pingers(const config::Model& model, const std::string& pool);
};

}  // namespace nezu::compile
