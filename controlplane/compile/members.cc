// Who of a pool's members takes new flows, and with what weight: from what the operator set, what
// the health checks found, what the server itself says of its weight and how long ago it became
// ready. In this order: none of them gives what one before has taken.
#include <algorithm>
#include <numeric>

#include "controlplane/compile/compile.h"

namespace nezu::compile {
namespace {

tables::Scheduler scheduler_of(v1::Scheduler scheduler) {
  switch (scheduler) {
    case v1::SCHEDULER_RR:
      return tables::Scheduler::rr;
    case v1::SCHEDULER_WRR:
      return tables::Scheduler::wrr;
    case v1::SCHEDULER_LC:
      return tables::Scheduler::lc;
    case v1::SCHEDULER_SH:
      return tables::Scheduler::sh;
    case v1::SCHEDULER_MH:
      return tables::Scheduler::mh;
    case v1::SCHEDULER_DH:
      return tables::Scheduler::sh;
    case v1::SCHEDULER_SED:
      return tables::Scheduler::sed;
    case v1::SCHEDULER_NQ:
      return tables::Scheduler::nq;
    case v1::SCHEDULER_FO:
      return tables::Scheduler::fo;
    case v1::SCHEDULER_OVF:
      return tables::Scheduler::ovf;
    case v1::SCHEDULER_TWOS:
      return tables::Scheduler::twos;
    case v1::SCHEDULER_RANDOM:
      return tables::Scheduler::random;
    default:
      return tables::Scheduler::wlc;
  }
}

/// rr and lc treat all members alike, but 0 still means none.
uint32_t weight_of(const v1::RealServer& server, tables::Scheduler scheduler) {
  const uint32_t weight = server.has_weight() ? server.weight() : 1;
  const bool alike = scheduler == tables::Scheduler::rr || scheduler == tables::Scheduler::lc;
  return alike ? std::min(weight, 1u) : weight;
}

/// A member while its image is being made.
struct Candidate {
  MemberImage image;
  const v1::RealServer* server = nullptr;
  bool takes_flows() const {
    return image.state == tables::ServerState::ready && image.weight != 0;
  }
  /// By its agent's own word, which is no check that may be wrong.
  bool is_withdrawn() const {
    return image.share &&
           (image.share->is_down || image.share->drains || image.share->in_maintenance);
  }
};

/// So few are healthy that the checks are not believed.
bool panics(const v1::Pool& pool, const std::vector<Candidate>& members) {
  size_t wanted = 0, healthy = 0;
  for (const Candidate& one : members) {
    if (one.server->backup()) {
      if (one.takes_flows()) {
        return false;
      }
      continue;
    }
    const bool fails = one.image.state == tables::ServerState::failed && !one.is_withdrawn();
    wanted += fails || one.takes_flows() ? 1 : 0;
    healthy += one.takes_flows() ? 1 : 0;
  }
  return healthy * 100 < wanted * pool.panic_percent();
}

void believe_all(std::vector<Candidate>& members) {
  for (Candidate& one : members) {
    const bool wanted = one.server->state() == v1::ADMIN_STATE_READY ||
                        one.server->state() == v1::ADMIN_STATE_UNSPECIFIED;
    if (one.image.state == tables::ServerState::failed && wanted && !one.server->backup() &&
        !one.is_withdrawn()) {
      one.image.state = tables::ServerState::ready;
    }
  }
}

/// Backups wait while anybody else is ready: no weight is no new flow.
void let_backups_wait(std::vector<Candidate>& members) {
  const bool needed = std::none_of(members.begin(), members.end(), [](const Candidate& one) {
    return !one.server->backup() && one.takes_flows();
  });
  for (Candidate& one : members) {
    if (one.server->backup() && !needed) {
      one.image.weight = 0;
    }
  }
}

/// Of a weight, for a server that became ready so long ago: at least a sixty-fourth.
constexpr uint32_t kSteps = 64;
uint32_t steps_of(const v1::Pool& pool, const tables::ServerIdentity& server, const Ages& ages) {
  const auto age = ages.find(server);
  const uint64_t whole = uint64_t{pool.slow_start_s()} * 1000;
  if (age == ages.end() || whole == 0) {
    return kSteps;
  }
  const auto passed = static_cast<uint64_t>(std::max<int64_t>(age->second.count(), 0));
  return static_cast<uint32_t>(std::clamp<uint64_t>(passed * kSteps / whole, 1, kSteps));
}

/// While a member has only part of its weight, the order must be one that looks at weights, and
/// these must be large enough to be divided.
void start_slowly(const v1::Pool& pool, const Ages& ages, std::vector<Candidate>& members,
                  PoolImage& image) {
  const bool any = std::any_of(members.begin(), members.end(), [&](const Candidate& one) {
    return one.takes_flows() && steps_of(pool, one.image.identity, ages) < kSteps;
  });
  if (!any) {
    return;
  }
  for (Candidate& one : members) {
    one.image.weight *= steps_of(pool, one.image.identity, ages);
  }
  if (image.scheduler == tables::Scheduler::rr) {
    image.scheduler = tables::Scheduler::wrr;
  } else if (image.scheduler == tables::Scheduler::lc) {
    image.scheduler = tables::Scheduler::wlc;
  }
}

/// What the server says of itself, in a pool that listens.
std::optional<Share> share_of(const v1::Pool& pool, const tables::ServerIdentity& server,
                              const Shares& shares) {
  const auto source = source_of(pool);
  const auto known = shares.find(pool.name());
  if (!source || known == shares.end()) {
    return std::nullopt;
  }
  const auto share = known->second.find(server);
  return share != known->second.end() && share->second.source == *source
             ? std::optional(share->second)
             : std::nullopt;
}

/// Percents of weights, in whole numbers without what all have in common; as configured while all
/// have the whole of it.
void follow_servers(std::vector<Candidate>& members) {
  const bool any = std::any_of(members.begin(), members.end(), [](const Candidate& one) {
    return one.image.share && one.image.share->percent != 100;
  });
  uint32_t common = 0;
  for (Candidate& one : members) {
    if (any) {
      one.image.weight *= one.image.share ? one.image.share->percent : 100;
    }
    common = std::gcd(common, one.image.weight);
  }
  for (Candidate& one : members) {
    one.image.weight /= any && common != 0 ? common : 1;
    if (one.is_withdrawn()) {
      one.image.weight = 0;
    }
    const bool away = one.image.share && one.image.share->in_maintenance &&
                      one.image.state != tables::ServerState::failed;
    if (away) {
      one.image.state = tables::ServerState::disabled;
    }
  }
}

RingPlan ring_plan(const v1::Pool& pool, const PoolImage& image) {
  RingPlan plan;
  plan.kind = image.scheduler == tables::Scheduler::mh   ? RingKind::maglev
              : image.scheduler == tables::Scheduler::sh ? RingKind::source
                                                         : RingKind::turns;
  // An order of turns knows neither size nor seed: equal members share it whatever those say.
  if (plan.kind == RingKind::maglev) {
    plan.size = pool.ring_size();
    plan.seed = pool.seed();
  }
  for (const MemberImage& member : image.members) {
    const bool is_ready = member.state == tables::ServerState::ready;
    plan.members.push_back({member.identity, is_ready ? member.weight : 0});
  }
  return plan;
}

/// Thresholds of the operator, or the agent's with the usual distance between them.
void limit(const v1::RealServer& server, MemberImage& image) {
  const bool by_agent = image.share && image.share->max_flows;
  const uint32_t most = by_agent ? *image.share->max_flows : server.max_flows();
  const bool is_set = server.resume_flows() != 0 && !by_agent;
  const uint32_t resume = is_set ? server.resume_flows() : most - most / 4;
  image.max_flows = most;
  image.resume_flows = most != 0 ? std::max(resume, 1u) : 0;
}

std::vector<Candidate> candidates(const v1::Pool& pool, tables::Scheduler scheduler,
                                  const Conditions& conditions) {
  std::vector<Candidate> members;
  for (const v1::RealServer& server : pool.servers()) {
    const ServerImage compiled = compile_server(server, pool, conditions.verdicts, 0);
    MemberImage image{.identity = compiled.identity,
                      .weight = weight_of(server, scheduler),
                      .state = compiled.state,
                      .share = share_of(pool, compiled.identity, conditions.shares)};
    limit(server, image);
    members.push_back({image, &server});
  }
  std::sort(members.begin(), members.end(), [](const Candidate& a, const Candidate& b) {
    return a.image.identity < b.image.identity;
  });
  return members;
}

}  // namespace

std::optional<ShareSource> source_of(const v1::Pool& pool) {
  switch (pool.weights()) {
    case v1::WEIGHTS_AGENT:
      return ShareSource::agent;
    case v1::WEIGHTS_RESPONSE_TIME:
      return ShareSource::response_time;
    default:
      return std::nullopt;
  }
}

PoolImage compile_pool(const v1::Pool& pool, const Conditions& conditions) {
  PoolImage image;
  image.name = pool.name();
  image.scheduler = scheduler_of(pool.scheduler());
  image.hash_with_port = pool.hash_with_port();
  image.locality = pool.scheduler() == v1::SCHEDULER_LBLC    ? tables::Locality::one
                   : pool.scheduler() == v1::SCHEDULER_LBLCR ? tables::Locality::set
                                                             : tables::Locality::none;
  image.hash_destination = pool.hash_destination() || pool.scheduler() == v1::SCHEDULER_DH;
  image.load_bound_percent = static_cast<uint16_t>(pool.load_bound_percent());
  image.identity = name_identity(pool.name());
  std::vector<Candidate> members = candidates(pool, image.scheduler, conditions);
  follow_servers(members);
  image.panics = panics(pool, members);
  if (image.panics) {
    believe_all(members);
  }
  let_backups_wait(members);
  start_slowly(pool, conditions.ages, members, image);
  for (const Candidate& one : members) {
    image.ready_count += one.takes_flows() ? 1 : 0;
    image.members.push_back(one.image);
  }
  image.has_ring = tables::has_ring(image.scheduler);
  image.has_sequence = tables::has_sequence(image.scheduler);
  if (image.has_ring || image.has_sequence) {
    image.plan = ring_plan(pool, image);
  }
  return image;
}

}  // namespace nezu::compile
