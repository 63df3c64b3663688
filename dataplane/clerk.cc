#include "dataplane/clerk.h"

#include <algorithm>

namespace nezu::dataplane {
namespace {

constexpr size_t kMostPending = 32;  ///< below what a desk holds
constexpr uint32_t kRepliesPerTurn = 256;
constexpr uint16_t kVersion = 1;

}  // namespace

void Clerk::turn(const tables::View& view, net::Instant now) {
  take_requests(view, now);
  clients_.turn(now, own_);
  send_own();
  collect(now);
}

void Clerk::take_requests(const tables::View& view, net::Instant now) {
  tables::Request request;
  while (pending_.size() < kMostPending && own_.empty() && !clients_.is_busy() &&
         region_.requests().pop(request)) {
    if (request.version != kVersion) {
      answer(request, tables::ReplyKind::unsupported, 0);
      continue;
    }
    switch (request.kind) {
      case tables::RequestKind::list_flows:
      case tables::RequestKind::end_flows:
        give_out(request);
        break;
      case tables::RequestKind::list_neighbours:
        list_neighbours(request);
        break;
      case tables::RequestKind::list_routes:
        list_routes(request);
        break;
      case tables::RequestKind::list_clients:
      case tables::RequestKind::add_client:
      case tables::RequestKind::clear_clients:
        clients_.begin(request, view, now);
        break;
      default:  // a number of another version
        answer(request, tables::ReplyKind::unsupported, 0);
    }
  }
}

void Clerk::give_out(const tables::Request& request) {
  // A number that is still being answered: its asker has been restarted and counts anew.
  if (pending_.contains(request.sequence)) {
    return answer(request, tables::ReplyKind::unsupported, 0);
  }
  Pending& pending = pending_[request.sequence];
  pending = {request.deadline, request.limit, 0, 0, 0};
  for (path::Desk* desk : desks_) {
    if (!desk->requests.push(request)) continue;
    desk->requests.publish();
    ++pending.workers;
  }
  if (pending.workers == 0) {
    pending_.erase(request.sequence);
    answer(request, tables::ReplyKind::done, 0);
  }
}

void Clerk::collect(net::Instant now) {
  for (path::Desk* desk : desks_) {
    for (uint32_t i = 0; i < kRepliesPerTurn; ++i) {
      const auto stuck = stuck_.find(desk);
      tables::Reply reply;
      if (stuck != stuck_.end()) {
        reply = stuck->second;
      } else if (!desk->replies.pop(reply)) {
        break;
      }
      if (!pass_on(reply, now)) {
        stuck_[desk] = reply;
        break;
      }
      stuck_.erase(desk);
    }
  }
}

/// False: no room; the same again next turn.
bool Clerk::pass_on(const tables::Reply& reply, net::Instant now) {
  const auto at = pending_.find(reply.sequence);
  if (at == pending_.end()) return true;
  Pending& pending = at->second;
  const bool late = pending.deadline != 0 && now.nanoseconds > pending.deadline;
  if (reply.kind != tables::ReplyKind::done) {
    if (late || (pending.limit != 0 && pending.records >= pending.limit)) return true;
    if (!region_.replies().push(reply)) return false;
    ++pending.records;
    return true;
  }
  if (pending.workers > 1) {
    --pending.workers;
    pending.matched += reply.matched;
    return true;
  }
  tables::Reply done = reply;
  done.matched += pending.matched;
  if (!late && !region_.replies().push(done)) return false;
  pending_.erase(at);
  return true;
}

void Clerk::answer(const tables::Request& request, tables::ReplyKind kind, uint64_t matched) {
  tables::Reply reply;
  reply.sequence = request.sequence;
  reply.kind = kind;
  reply.matched = matched;
  own_.push_back(reply);
}

/// In a reply of kind `neighbour`: the neighbour in `client`, its MAC in the first six bytes of
/// `server`, its link's number in `worker`, its HopState in `client_port`.
void Clerk::list_neighbours(const tables::Request& request) {
  uint64_t matched = 0;
  for (const auto& one : routes_.neighbours().all()) {
    if (request.limit == 0 || matched < request.limit) {
      tables::Reply reply;
      reply.sequence = request.sequence;
      reply.kind = tables::ReplyKind::neighbour;
      reply.flow.client = one.key.address;
      std::copy(one.mac.bytes.begin(), one.mac.bytes.end(), reply.flow.server.bytes.begin());
      reply.flow.worker = one.key.link;
      reply.flow.client_port = static_cast<uint16_t>(one.state);
      own_.push_back(reply);
    }
    ++matched;
  }
  answer(request, tables::ReplyKind::done, matched);
}

/// In a reply of kind `route`: the prefix in `client` and `client_port` (its length), the gateway
/// in `server`, the link's number in `worker`, the instance in `instance`, the weight in
/// `server_port` (0: refused). One for each way.
void Clerk::list_routes(const tables::Request& request) {
  uint64_t matched = 0;
  for (const auto& route : routes_.kernel().routes) {
    std::vector<route::Way> ways = route.ways;
    if (ways.empty()) ways.push_back({0, {}, 0});
    for (const auto& way : ways) {
      if (request.limit == 0 || matched < request.limit) {
        tables::Reply reply;
        reply.sequence = request.sequence;
        reply.kind = tables::ReplyKind::route;
        reply.flow.client = route.prefix.address;
        reply.flow.client_port = route.prefix.length;
        reply.flow.server = way.gateway;
        reply.flow.worker = way.link;
        reply.flow.instance = route.instance;
        reply.flow.server_port = way.weight;
        own_.push_back(reply);
      }
      ++matched;
    }
  }
  answer(request, tables::ReplyKind::done, matched);
}

void Clerk::send_own() {
  while (!own_.empty() && region_.replies().push(own_.front())) own_.pop_front();
}

}  // namespace nezu::dataplane
