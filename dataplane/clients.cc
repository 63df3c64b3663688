#include "dataplane/clients.h"

#include <algorithm>

namespace nezu::dataplane {
namespace {

constexpr uint32_t kPlacesPerTurn = 2048;
constexpr size_t kMostWaiting = 4096;  ///< answers

uint32_t host_bits(const tables::Persistence& kept, const net::Address& address) {
  return address.is_v4() ? kept.host_bits4 : kept.host_bits6;
}

}  // namespace

void Clients::begin(const tables::Request& request, const tables::View& view, net::Instant now) {
  request_ = request;
  busy_ = true;
  next_ = 0;
  matched_ = 0;
  if (request.kind == tables::RequestKind::add_client) {
    next_ = table_.capacity();
    return add(request, view, net::to_tick(now));
  }
  rules_.clear();
  const tables::Service* wanted = view.service(request.filter.service);
  wanted_ = wanted != nullptr ? Group{wanted->persistence.scope, wanted->key.instance} : Group{};
  if (!view.is_ready()) return;
  view.each(view.root()->services, [this](const tables::Service& service) {
    if (service.persistence.exists()) {
      rules_.try_emplace({service.persistence.scope, service.key.instance},
                         Rule{service.id, service.persistence});
    }
  });
}

void Clients::add(const tables::Request& request, const tables::View& view, net::Tick now) {
  const tables::Service* service = view.service(request.filter.service);
  const tables::Server* server = view.server(request.filter.server_id);
  if (service == nullptr || server == nullptr || !service->persistence.exists()) return;
  const tables::Persistence& kept = service->persistence;
  const net::Address& address = request.filter.client;
  const steer::PersistentClient client{kept.scope, net::masked(address, host_bits(kept, address)),
                                       service->key.instance};
  const uint64_t hash = table_.hash(client);
  const auto slot = static_cast<uint16_t>(index(server->id));
  // A worker may just have let the client stay elsewhere: what people say stands.
  constexpr uint32_t kTries = 16;
  for (uint32_t tries = 0; matched_ == 0 && tries < kTries; ++tries) {
    const uint16_t instead_of = table_.find(hash, now);
    const auto stays =
        table_.keep(client, hash, slot, server->identity, instead_of, now, kept.timeout_s);
    matched_ = stays.server == slot ? 1 : 0;
  }
}

bool Clients::matches(const steer::Persistence::Held& held) const {
  const tables::FlowFilter& filter = request_.filter;
  const Group group{held.client.scope, held.client.instance};
  const auto rule = rules_.find(group);
  if (rule == rules_.end()) return false;  // nobody asks for it any more; it ends by itself
  if (filter.instance != net::Instance::unknown && filter.instance != held.client.instance) {
    return false;
  }
  if (filter.client != net::Address{} &&
      net::masked(filter.client, host_bits(rule->second.kept, filter.client)) !=
          held.client.address) {
    return false;
  }
  if (wanted_.first != 0 && wanted_ != group) return false;
  return filter.server == net::Address{} || filter.server == held.identity.address;
}

/// In a reply of kind `client`: the client in `client` and `client_port` (bits that count), its
/// server in `server` and `server_port`, the service in `service` or the mark in `service_port`.
void Clients::visit(const steer::Persistence::Held& held, net::Tick now,
                    std::deque<tables::Reply>& out) {
  if (!matches(held)) return;
  ++matched_;
  if (request_.kind == tables::RequestKind::clear_clients) {
    table_.forget(table_.hash(held.client), now);
    return;
  }
  if (request_.limit != 0 && matched_ > request_.limit) return;
  const Rule& rule = rules_.at({held.client.scope, held.client.instance});
  const uint32_t all = held.client.address.is_v4() ? 32 : 128;
  tables::Reply reply;
  reply.sequence = request_.sequence;
  reply.kind = tables::ReplyKind::client;
  reply.flow.client = held.client.address;
  reply.flow.client_port = static_cast<uint16_t>(all - host_bits(rule.kept, held.client.address));
  reply.flow.server = held.identity.address;
  reply.flow.server_port = held.identity.port;
  reply.flow.instance = held.client.instance;
  reply.flow.seconds_left = held.seconds_left;
  const bool of_mark = (held.client.scope & tables::kScopeOfMark) != 0;
  reply.flow.service = of_mark ? tables::no_id<tables::ServiceId>() : rule.service;
  reply.flow.service_port = of_mark ? static_cast<uint16_t>(held.client.scope) : 0;
  out.push_back(reply);
}

void Clients::turn(net::Instant now, std::deque<tables::Reply>& out) {
  const net::Tick tick = net::to_tick(now);
  table_.expire(expire_next_, kPlacesPerTurn, tick);
  expire_next_ =
      expire_next_ + kPlacesPerTurn < table_.capacity() ? expire_next_ + kPlacesPerTurn : 0;
  header_.persistent_clients.set(table_.count());
  header_.persistence_capacity.set(table_.capacity());
  if (!busy_ || out.size() > kMostWaiting) return;
  if (request_.deadline != 0 && now.nanoseconds > request_.deadline) next_ = table_.capacity();
  table_.each(next_, kPlacesPerTurn, tick,
              [&](const steer::Persistence::Held& held) { visit(held, tick, out); });
  next_ = std::min(next_ + kPlacesPerTurn, table_.capacity());
  if (next_ < table_.capacity()) return;
  busy_ = false;
  tables::Reply done;
  done.sequence = request_.sequence;
  done.kind = tables::ReplyKind::done;
  done.matched = matched_;
  out.push_back(done);
}

}  // namespace nezu::dataplane
