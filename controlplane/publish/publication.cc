#include "controlplane/publish/publication.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "dataplane/tables/make_rules.h"

namespace nezu::publish {
namespace {

/// Drain deadlines go through two clocks; what differs by less is the same deadline.
constexpr int64_t kDeadlineTolerance = 2'000'000'000;

tables::Name name_of(const std::string& text) {
  tables::Name name{};
  std::copy_n(text.data(), std::min(text.size(), name.size() - 1), name.data());
  return name;
}

/// What the next control plane begins with.
void keep(const compile::Share& share, tables::Member& member) {
  member.followed = static_cast<uint8_t>(
      (share.source == compile::ShareSource::agent ? tables::kFollowsAgent : tables::kFollowsTime) |
      (share.drains ? tables::kAgentDrains : 0) |
      (share.in_maintenance ? tables::kAgentMaintenance : 0) |
      (share.is_down ? tables::kAgentDown : 0) | (share.max_flows ? tables::kAgentLimit : 0));
  member.percent = share.percent;
}

bool is_same_deadline(net::Instant a, net::Instant b) {
  return a.nanoseconds != 0 && b.nanoseconds != 0 &&
         std::abs(static_cast<int64_t>(a.nanoseconds) - static_cast<int64_t>(b.nanoseconds)) <
             kDeadlineTolerance;
}

}  // namespace

Publication::Publication(tables::Writer& writer, Books& books)
    : writer_(writer),
      region_(writer.region()),
      books_(books),
      transaction_(writer),
      live_(writer.view()),
      services_(books.services),
      pools_(books.pools),
      servers_(books.servers),
      addresses_(books.addresses) {}

void Publication::stage(const compile::Image& image) {
  stage_servers(image);
  stage_pools(image);
  stage_addresses(image);
  stage_services(image);
  stage_rules(image);
  if (image.matches) stage_matches(*image.matches);
  transaction_.put(image.settings);
  if (image.has_memberships) transaction_.put(image.memberships, image.bridges);
  if (image.instance_access) transaction_.put(*image.instance_access);
}

template <typename Id>
bool Publication::has_slot(Id id, const tables::Slots& slots, const char* kind) {
  if (tables::is_slot(id)) return true;
  no_slot_ = "no slot is left for another " + std::string(kind) + " (the region has " +
             std::to_string(slots.capacity()) + ", some may wait for their last flow)";
  return false;
}

void Publication::stage_servers(const compile::Image& image) {
  for (const compile::ServerImage& server : image.servers) {
    const tables::ServerId id = servers_.open(server.identity);
    if (!has_slot(id, books_.servers.slots, "server")) return;
    const tables::Server* live = servers_.is_fresh(server.identity) ? nullptr : live_.server(id);
    tables::Server block;
    block.identity = server.identity;
    block.id = id;
    block.state = server.state;
    block.configured = server.configured;
    block.healthy = server.healthy ? 1 : 0;
    block.health_known = server.health_known ? 1 : 0;
    block.drain_deadline =
        live != nullptr && is_same_deadline(live->drain_deadline, server.drain_deadline)
            ? live->drain_deadline
            : server.drain_deadline;
    if (block.state == tables::ServerState::failed) {
      const bool is_old = live != nullptr && live->state == tables::ServerState::failed;
      block.failed_since = is_old ? live->failed_since : tables::boot_time();
    }
    block.base = live != nullptr ? live->base : counters_of(region_, id);
    transaction_.put(block);
  }
  // A server that is in no pool any more keeps its slot while flows are left.
  for (const tables::ServerIdentity& identity : image.gone.servers) {
    const tables::Server* live = live_.server(servers_.find(identity));
    if (live == nullptr || live->retired != 0) continue;
    tables::Server block = *live;
    block.retired = 1;
    block.state = tables::ServerState::disabled;
    block.configured = tables::ServerState::disabled;
    transaction_.put(block);
    servers_.retire(identity);
  }
}

void Publication::stage_pools(const compile::Image& image) {
  std::vector<tables::Member> members;
  for (const compile::PoolImage& pool : image.pools) {
    tables::Pool block;
    block.id = pools_.open(pool.name);
    if (!has_slot(block.id, books_.pools.slots, "pool")) return;
    block.scheduler = pool.scheduler;
    block.hash_with_port = pool.hash_with_port ? 1 : 0;
    block.hash_destination = pool.hash_destination ? 1 : 0;
    block.locality = pool.locality;
    block.ready_count = pool.ready_count;
    block.load_bound_percent = pool.load_bound_percent;
    block.is_limited = pool.load_bound_percent != 0 ? 1 : 0;
    block.panics = pool.panics ? 1 : 0;
    block.identity = pool.identity;
    block.name = name_of(pool.name);
    members.clear();
    for (const compile::MemberImage& member : pool.members) {
      tables::Member entry;
      entry.address = member.identity.address;
      entry.server = servers_.find(member.identity);
      entry.weight = member.weight;
      entry.port = member.identity.port;
      entry.state = member.state;
      entry.max_flows = member.max_flows;
      entry.resume_flows = member.resume_flows;
      if (member.share) keep(*member.share, entry);
      if (member.max_flows != 0) block.is_limited = 1;
      members.push_back(entry);
    }
    tables::RingSource source;
    if (pool.has_ring || pool.has_sequence) {
      source.fingerprint = compile::fingerprint(pool.plan);
      source.build = [&pool] { return compile::build_ring(pool.plan); };
    }
    transaction_.put(block, members, pool.has_ring ? &source : nullptr,
                     pool.has_sequence ? &source : nullptr);
  }
  for (const std::string& name : image.gone.pools) {
    const tables::PoolId id = pools_.find(name);
    if (!tables::is_slot(id)) continue;
    transaction_.remove(id);
    pools_.drop(name);
  }
}

void Publication::stage_addresses(const compile::Image& image) {
  std::vector<tables::Rule> rules;
  for (const compile::AddressImage& address : image.addresses) {
    tables::LocalAddress block;
    block.id = addresses_.open(address.key);
    if (!has_slot(block.id, books_.addresses.slots, "address")) return;
    block.address = address.key.address;
    block.instance = address.key.instance;
    block.host_bits = address.key.host_bits;
    block.kind = address.kind;
    block.answers_ping = address.answers_ping ? 1 : 0;
    if (!address.passive_service.empty()) {
      block.passive_service = services_.open(address.passive_service);
      if (!has_slot(block.passive_service, books_.services.slots, "service")) return;
      block.passive_first = address.passive_ports.first;
      block.passive_last = address.passive_ports.last;
    }
    block.by_side = address.by_side ? 1 : 0;
    block.portless = address.portless ? 1 : 0;
    rules.clear();
    for (const auto& service : address.open_services) {
      const tables::ServiceId id = services_.open(service.name);
      if (!has_slot(id, books_.services.slots, "service")) return;
      if (tables::add_rules(tables::rule_of(service.key, id), service.sources, service.interfaces,
                            rules)) {
        block.asks_who = 1;
      }
    }
    std::sort(rules.begin(), rules.end(), tables::is_before);
    transaction_.put(block, rules);
  }
  // One that is configured no more steers until its last flow has ended.
  for (const AddressKey& key : image.gone.addresses) {
    const tables::LocalAddress* live = live_.address(addresses_.find(key));
    if (live == nullptr || live->retired != 0) continue;
    tables::LocalAddress block = *live;
    block.retired = 1;
    block.answers_ping = 0;
    transaction_.put(block);
    addresses_.retire(key);
  }
}

Publication::Snats Publication::snats_of(const compile::Image& image,
                                         const std::string& name) const {
  Snats snats;
  const auto set = image.snat_sets.find(name);
  if (set == image.snat_sets.end()) return snats;
  for (const net::Address& address : set->second.addresses) {
    snats.ids.push_back(addresses_.find({set->second.instance, address, 0}));
    snats.ipv4_count += address.is_v4() ? 1 : 0;
  }
  return snats;
}

void Publication::stage_services(const compile::Image& image) {
  std::unordered_map<std::string, Snats> sets;
  for (const auto& [name, set] : image.snat_sets) sets.emplace(name, snats_of(image, name));
  static const Snats kNone;
  for (const compile::ServiceImage& service : image.services) {
    const tables::ServiceId id = services_.open(service.name);
    if (!has_slot(id, books_.services.slots, "service")) return;
    const tables::Service* live = services_.is_fresh(service.name) ? nullptr : live_.service(id);
    tables::Service block;
    block.key = service.key;
    block.id = id;
    block.mode = service.mode;
    block.gue_port = service.gue_port;
    block.max_segment_size = service.max_segment_size;
    block.reset_when_idle = service.reset_when_idle ? 1 : 0;
    block.refusal = service.refusal;
    block.failed_flows = service.failed_flows;
    block.enabled = service.enabled ? 1 : 0;
    block.identity = service.identity;
    block.timeouts = service.timeouts;
    block.client_prefix = service.client_prefix;
    block.client_address = service.client_address;
    block.application = service.application;
    block.passive_first = service.passive_ports.first;
    block.passive_last = service.passive_ports.last;
    block.return_to_sender = service.return_to_sender ? 1 : 0;
    block.call_timeout_s = service.call_timeout_s;
    block.persistence = service.persistence;
    block.limits = service.limits;
    block.traffic = service.traffic;
    block.cookies = service.cookies;
    block.one_packet = service.one_packet ? 1 : 0;
    block.name = name_of(service.name);
    block.base = live != nullptr ? live->base : counters_of(region_, id);
    block.pool = pools_.find(service.pool);
    const auto set = sets.find(service.snat_set);
    const Snats& snats = set != sets.end() ? set->second : kNone;
    transaction_.put(block, snats.ids, snats.ipv4_count, service.access);
  }
  for (const std::string& name : image.gone.services) retire_service(name);
}

/// One that is configured no more is found by slot only: its flows keep its timeouts.
void Publication::retire_service(const std::string& key) {
  const tables::Service* live = live_.service(services_.find(key));
  if (live == nullptr || live->retired != 0) return;
  tables::Service block = *live;
  block.retired = 1;
  block.enabled = 0;
  block.pool = tables::no_id<tables::PoolId>();
  transaction_.put(block, {}, 0);
  services_.retire(key);
}

void Publication::stage_rules(const compile::Image& image) {
  for (const compile::RuleImage& rule : image.rules) {
    const std::string key = rule_key(rule.name);
    const tables::ServiceId id = services_.open(key);
    if (!has_slot(id, books_.services.slots, "service or source NAT rule")) return;
    const tables::Service* live = services_.is_fresh(key) ? nullptr : live_.service(id);
    tables::Service block;
    block.id = id;
    block.mode = tables::Mode::masquerade;
    block.refusal = tables::Refusal::refuse;
    block.enabled = rule.enabled ? 1 : 0;
    block.max_segment_size = rule.max_segment_size;
    block.application = rule.application;
    block.timeouts = rule.timeouts;
    block.name = name_of(rule.name);
    block.base = live != nullptr ? live->base : counters_of(region_, id);
    const Snats snats = snats_of(image, rule.snat_set);
    transaction_.put(block, snats.ids, snats.ipv4_count);
  }
  for (const std::string& name : image.gone.rules) retire_service(rule_key(name));
}

void Publication::stage_matches(const std::vector<compile::RuleMatch>& matches) {
  std::vector<tables::SourceRuleSpec> specs;
  for (const compile::RuleMatch& match : matches) {
    specs.push_back({services_.find(rule_key(match.name)), match.sources, match.inside,
                     match.outside, match.except});
  }
  transaction_.put_source_rules(tables::build_source_rules(specs));
}

void Publication::stage_idle() {
  std::set<AddressKey> needed;  // VIPs that flows of retired services still steer by
  for (const std::string& name : books_.services.retired) {
    const tables::ServiceId id = services_.find(name);
    if (flows_of(region_, id) != 0) {
      const tables::ServiceKey& key = live_.service(id)->key;
      needed.insert({key.instance, key.address, key.host_bits});
      continue;
    }
    transaction_.remove(id);
    services_.drop(name);
  }
  for (const tables::ServerIdentity& identity : books_.servers.retired) {
    const tables::ServerId id = servers_.find(identity);
    if (flows_of(region_, id) != 0) continue;
    transaction_.remove(id);
    servers_.drop(identity);
  }
  for (const AddressKey& key : books_.addresses.retired) {
    const tables::AddressId id = addresses_.find(key);
    if (flows_of(region_, id) != 0) continue;
    if (live_.address(id)->kind == tables::AddressKind::vip && needed.contains(key)) continue;
    transaction_.remove(id);
    addresses_.drop(key);
  }
}

tables::Commit Publication::commit(uint64_t revision) {
  const tables::Commit commit =
      no_slot_.empty() ? transaction_.commit(revision) : tables::Commit::full;
  is_published_ = commit != tables::Commit::full;
  return commit;
}

void Publication::settle() {
  const uint64_t generation = writer_.generation();
  const net::Instant now = tables::boot_time();
  const auto each = [&](auto&... drafts) {
    (..., (is_published_ ? drafts.settle(generation, now) : drafts.undo()));
  };
  each(services_, pools_, servers_, addresses_);
}

std::string Publication::why_full() const {
  if (!no_slot_.empty()) return no_slot_;
  return "the region's heap has no room for this (" + std::to_string(writer_.heap().free_bytes()) +
         " of " + std::to_string(region_.header().sizes.heap_bytes) + " bytes are free, " +
         std::to_string(writer_.heap().retired_bytes()) + " wait for readers)";
}

}  // namespace nezu::publish
