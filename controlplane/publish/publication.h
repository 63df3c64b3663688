// One publication in the making: slots for what is new, blocks for what differs, and in the end
// either one release store or no trace.
//
// The publisher's one thread.
#pragma once

#include <string>

#include "controlplane/compile/compile.h"
#include "controlplane/publish/books.h"
#include "controlplane/publish/publisher.h"

namespace nezu::publish {

class Publication {
 public:
  /// Frees what readers have passed: under the lock of those who look at blocks.
  Publication(tables::Writer& writer, Books& books);

  void stage(const compile::Image& image);
  /// Takes out what was removed earlier and whose last flow has ended.
  void stage_idle();

  /// The release store. Then `settle` brings the books up to date: under their lock.
  tables::Commit commit(uint64_t revision);
  void settle();
  /// After `full`: what there was too much of, with the remedy.
  std::string why_full() const;
  uint64_t written_bytes() const { return transaction_.staged_bytes(); }

 private:
  void stage_servers(const compile::Image& image);
  void stage_pools(const compile::Image& image);
  void stage_addresses(const compile::Image& image);
  void stage_services(const compile::Image& image);
  void retire_service(const std::string& key);
  void stage_rules(const compile::Image& image);
  void stage_matches(const std::vector<compile::RuleMatch>& matches);
  struct Snats {
    std::vector<tables::AddressId> ids;
    uint32_t ipv4_count = 0;
  };
  Snats snats_of(const compile::Image& image, const std::string& set) const;
  template <typename Id>
  bool has_slot(Id id, const tables::Slots& slots, const char* kind);

  tables::Writer& writer_;
  const tables::Region& region_;
  Books& books_;
  tables::Transaction transaction_;
  tables::View live_;
  Draft<std::string, tables::ServiceId> services_;
  Draft<std::string, tables::PoolId> pools_;
  Draft<tables::ServerIdentity, tables::ServerId> servers_;
  Draft<AddressKey, tables::AddressId> addresses_;
  bool is_published_ = false;
  std::string no_slot_;  ///< which kind of slot has run out
};

}  // namespace nezu::publish
