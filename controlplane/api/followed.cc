#include "controlplane/api/followed.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

using google::protobuf::util::TimeUtil;

void put(const compile::Share& share, v1::FollowedWeight& to) {
  to.set_percent(share.percent);
  to.set_drains(share.drains);
  to.set_in_maintenance(share.in_maintenance);
  to.set_is_down(share.is_down);
  if (share.max_flows) {
    to.set_max_flows(*share.max_flows);
  }
}

void put(const health::CheckReport& agent, v1::FollowedWeight& to) {
  to.set_agent(agent.line);
  to.set_is_stale(agent.is_silent);
  if (agent.heard.time_since_epoch().count() != 0) {
    const auto since_1970 =
        std::chrono::duration_cast<std::chrono::nanoseconds>(agent.heard.time_since_epoch());
    *to.mutable_heard() = TimeUtil::NanosecondsToTimestamp(since_1970.count());
  }
}

}  // namespace

void put_shares(const health::Weights& weights, v1::ServerStatus& status) {
  const auto identity = config::identity_of(status.server());
  if (!identity) {
    return;
  }
  for (const std::string& pool : status.pools()) {
    if (const auto view = weights.view(pool, *identity)) {
      v1::FollowedWeight& followed = *status.add_followed();
      followed.set_pool(pool);
      put(view->share, followed);
    }
  }
}

void put_followed(const health::Weights& weights, const health::Engine& health,
                  v1::ServerStatus& status) {
  put_shares(weights, status);
  if (status.followed().empty()) {
    return;
  }
  const tables::ServerIdentity identity = *config::identity_of(status.server());
  const std::vector<health::CheckReport> reports = health.explain(identity);
  for (v1::FollowedWeight& followed : *status.mutable_followed()) {
    if (const auto view = weights.view(followed.pool(), identity)) {
      followed.set_response_us(static_cast<uint32_t>(view->response.count()));
    }
    for (const health::CheckReport& report : reports) {
      if (report.check.kind == health::Kind::agent && report.check.pool == followed.pool()) {
        put(report, followed);
      }
    }
  }
}

compile::Share share_of(const v1::FollowedWeight& shown, compile::ShareSource source) {
  compile::Share share;
  share.source = source;
  share.drains = shown.drains();
  share.in_maintenance = shown.in_maintenance();
  share.is_down = shown.is_down();
  share.percent =
      static_cast<uint16_t>(std::min<uint32_t>(shown.percent(), health::kMostAgentPercent));
  if (shown.has_max_flows()) {
    share.max_flows = shown.max_flows();
  }
  return share;
}

std::string sentence_of(const tables::ServerIdentity& server, const compile::Share& share) {
  std::string text = "server " + config::to_text(server) + " takes " +
                     std::to_string(share.percent) + " % of its weight";
  text += share.drains ? ", drains" : "";
  text += share.in_maintenance ? ", is in maintenance" : "";
  text += share.is_down ? ", is down" : "";
  return text + (share.max_flows ? ", at most " + std::to_string(*share.max_flows) + " flows" : "");
}

}  // namespace nezu::api
