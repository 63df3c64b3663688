#include "controlplane/config/compaction.h"

#include "controlplane/config/journal.h"

namespace nezu::config {
namespace {

/// A Record with a Snapshot. Messages that follow each other on the wire are merged, so each object
/// is written by itself: no second copy of everything.
std::string payload_of(const Revision& revision) {
  std::string payload;
  store::Record part;
  part.set_sequence(revision.sequence);
  part.mutable_snapshot()->set_revision(revision.number);
  *part.mutable_snapshot()->mutable_configuration()->mutable_settings() = revision.objects.settings;
  const auto write = [&payload, &part] {
    part.AppendToString(&payload);
    part.Clear();
  };
  write();
  for (const auto& service : revision.objects.services) {
    *part.mutable_snapshot()->mutable_configuration()->add_services() = *service;
    write();
  }
  for (const auto& pool : revision.objects.pools) {
    *part.mutable_snapshot()->mutable_configuration()->add_pools() = *pool;
    write();
  }
  for (const auto& set : revision.objects.snat_sets) {
    *part.mutable_snapshot()->mutable_configuration()->add_snat_sets() = *set;
    write();
  }
  for (const auto& rule : revision.objects.source_nats) {
    *part.mutable_snapshot()->mutable_configuration()->add_source_nats() = *rule;
    write();
  }
  for (const auto& instance : revision.objects.instances) {
    *part.mutable_snapshot()->mutable_configuration()->add_instances() = *instance;
    write();
  }
  for (const auto& past : revision.past) {
    *part.mutable_snapshot()->add_past() = *past;
    write();
  }
  return payload;
}

}  // namespace

Compaction::Compaction(std::string path, Revision revision, uint64_t journal_bytes)
    : journal_bytes_(journal_bytes),
      bytes_(std::async(std::launch::async,
                        [path = std::move(path), revision = std::move(revision)]() -> uint64_t {
                          const std::string payload = payload_of(revision);
                          write_file(path, {payload});
                          return payload.size();
                        })) {}

bool Compaction::is_done() const {
  return bytes_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace nezu::config
