#include "controlplane/api/state_service.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "controlplane/api/errors.h"
#include "controlplane/api/followed.h"
#include "controlplane/api/plans.h"
#include "controlplane/api/statistics.h"
#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"

namespace nezu::api {
namespace {

using google::protobuf::util::TimeUtil;
using grpc::Status;
using grpc::StatusCode;

google::protobuf::Timestamp timestamp_of(std::chrono::system_clock::time_point when) {
  return TimeUtil::NanosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count());
}

bool is_known(std::chrono::system_clock::time_point when) {
  return when.time_since_epoch().count() != 0;
}

/// "http GET http://10.0.0.1:80/health".
std::string text_of(const health::Check& check) {
  const std::string kind(health::to_string(check.kind));
  switch (check.kind) {
    case health::Kind::icmp:
      return kind + " echo to " + net::to_string(check.address);
    case health::Kind::tcp:
      return kind + " connection to " + net::to_string(check.address, check.port);
    case health::Kind::agent:
      return kind + " at " + net::to_string(check.address, check.port);
    case health::Kind::http:
      break;
  }
  return kind + " GET http://" + net::to_string(check.address, check.port) + check.http.path;
}

v1::Health health_of(health::Health health) {
  switch (health) {
    case health::Health::up:
      return v1::HEALTH_HEALTHY;
    case health::Health::down:
      return v1::HEALTH_FAILED;
    case health::Health::unknown:
      break;
  }
  return v1::HEALTH_UNKNOWN;
}

void put(const health::CheckReport& report, v1::ExplainCheckResponse& to) {
  *to.mutable_server() = config::to_proto(report.check.server);
  to.set_pool(report.check.pool);
  to.set_check(text_of(report.check));
  to.set_health(health_of(report.health));
  to.set_last_result(!is_known(report.last_probe) ? v1::CHECK_RESULT_NONE
                     : report.last_broken         ? v1::CHECK_RESULT_BROKEN
                     : report.last_succeeded      ? v1::CHECK_RESULT_GOOD
                                                  : v1::CHECK_RESULT_BAD);
  to.set_text(report.last_result);
  if (is_known(report.last_probe)) {
    *to.mutable_time() = timestamp_of(report.last_probe);
    if (!report.last_succeeded) {
      to.set_error(report.last_result);
    }
  }
  to.set_duration_us(static_cast<uint64_t>(report.last_took.count()));
  to.set_bytes_received(report.last_bytes);
  to.set_good_in_a_row(report.successes_in_row);
  to.set_bad_in_a_row(report.failures_in_row);
  to.set_good(report.successes);
  to.set_bad(report.failures);
  to.set_broken(report.broken);
  to.set_held_down(report.recovering && !report.awaits_return);
  to.set_awaits_return(report.awaits_return);
  if (is_known(report.last_change)) {
    *to.mutable_changed() = timestamp_of(report.last_change);
  }
}

}  // namespace

Status StateService::ListServerStatus(grpc::ServerContext*,
                                      const v1::ListServerStatusRequest* request,
                                      v1::ListServerStatusResponse* response) {
  return guarded([&] {
    const publish::Reading now = publisher_.read();
    response->set_generation(now.generation);
    return committer_.read([&](const config::Store& store) {
      const std::string& pool = request->pool();
      if (!pool.empty() && store.model().pools().find(pool) == nullptr) {
        return Status(StatusCode::NOT_FOUND, missing("pool", pool));
      }
      for (v1::ServerStatus& status : statuses_of(now, store.model())) {
        const auto& pools = status.pools();
        if (pool.empty() || std::find(pools.begin(), pools.end(), pool) != pools.end()) {
          const auto identity = config::identity_of(status.server());
          status.set_awaits_return(status.health() == v1::HEALTH_FAILED && identity &&
                                   health_.awaits_return(*identity));
          put_followed(weights_, health_, status);
          *response->add_servers() = std::move(status);
        }
      }
      return Status::OK;
    });
  });
}

Status StateService::GetStatistics(grpc::ServerContext*, const v1::GetStatisticsRequest* request,
                                   v1::Statistics* response) {
  return guarded([&] {
    config::Problems problems;
    for (int i = 0; i < request->parts_size(); ++i) {
      if (!v1::StatisticsPart_IsValid(request->parts(i)) ||
          request->parts(i) == v1::STATISTICS_PART_UNSPECIFIED) {
        config::complain(problems, "parts[" + std::to_string(i) + "]",
                         std::to_string(request->parts(i)), "There is no such part.");
      }
    }
    if (!problems.empty()) {
      return invalid(problems);
    }
    const publish::Reading now = publisher_.read();
    const auto before = monitor_.earlier();
    const bool is_attached = publisher_.data_plane().attached;
    return committer_.read([&](const config::Store& store) {
      const config::Model& model = store.model();
      if (!request->service().empty() && model.services().find(request->service()) == nullptr) {
        return Status(StatusCode::NOT_FOUND, missing("service", request->service()));
      }
      if (!request->pool().empty() && model.pools().find(request->pool()) == nullptr) {
        return Status(StatusCode::NOT_FOUND, missing("pool", request->pool()));
      }
      *response = statistics_of(now, *before, model, *request);
      response->set_data_plane_attached(is_attached);
      return Status::OK;
    });
  });
}

namespace {

/// The checks and agents of the server, of whichever protocol it has when none was given.
std::vector<health::CheckReport> reports_of(const health::Engine& health,
                                            const v1::ServerIdentity& wanted,
                                            tables::ServerIdentity& identity) {
  std::vector<health::CheckReport> reports = health.explain(identity);
  for (const v1::Protocol each : config::kProtocols) {
    if (!reports.empty() || wanted.protocol() != v1::PROTOCOL_UNSPECIFIED) {
      break;
    }
    auto other = identity;
    other.protocol = config::to_net(each);
    reports = health.explain(other);
    if (!reports.empty()) {
      identity = other;
    }
  }
  return reports;
}

/// Why nobody need or can let it return.
std::string why_no_return(const std::vector<health::CheckReport>& reports) {
  const auto any = [&reports](auto is) { return std::ranges::any_of(reports, is); };
  if (!any([](const auto& one) { return one.health == health::Health::down; })) {
    return " has not failed: there is nothing to return from.";
  }
  if (!any([](const auto& one) { return one.check.manual_return; })) {
    return " returns by itself when it is good again: no check of it has manual_return.";
  }
  return " is not good yet, or checks are frozen; nezu check explain tells what they saw.";
}

Status no_check(const tables::ServerIdentity& identity) {
  return Status(StatusCode::NOT_FOUND,
                "There is no check of server " + config::to_text(identity) +
                    "; give its pool a check, or list the servers to see their names.");
}

}  // namespace

Status StateService::ReturnServer(grpc::ServerContext*, const v1::ReturnServerRequest* request,
                                  v1::ReturnServerResponse* response) {
  return guarded([&] {
    auto identity = config::identity_of(request->server());
    if (!identity) {
      return invalid("server.address", request->server().address(),
                     "This is no IPv4 or IPv6 address.");
    }
    const auto reports = reports_of(health_, request->server(), *identity);
    if (reports.empty()) {
      return no_check(*identity);
    }
    if (!health_.awaits_return(*identity)) {
      return Status(StatusCode::FAILED_PRECONDITION,
                    "Server " + config::to_text(*identity) + why_no_return(reports));
    }
    health_.let_return(*identity);
    *response->mutable_server() = config::to_proto(*identity);
    return Status::OK;
  });
}

Status StateService::ExplainCheck(grpc::ServerContext*, const v1::ExplainCheckRequest* request,
                                  v1::ExplainCheckResponse* response) {
  return guarded([&] {
    v1::ServerIdentity wanted = request->server();
    if (wanted.protocol() == v1::PROTOCOL_UNSPECIFIED && !request->pool().empty()) {
      committer_.read([&](const config::Store& store) {
        const auto* pool = store.model().pools().find(request->pool());
        wanted.set_protocol(pool == nullptr ? v1::PROTOCOL_TCP : pool->protocol());
        return 0;
      });
    }
    auto identity = config::identity_of(wanted);
    if (!identity) {
      return invalid("server.address", wanted.address(), "This is no IPv4 or IPv6 address.");
    }
    for (const health::CheckReport& report : reports_of(health_, wanted, *identity)) {
      const bool is_agent = report.check.kind == health::Kind::agent;
      if (is_agent == request->agent() &&
          (request->pool().empty() || report.check.pool == request->pool())) {
        put(report, *response);
        const health::Status status = health_.status();
        response->set_frozen(status.frozen ? status.reason : "");
        return Status::OK;
      }
    }
    return request->agent()
               ? Status(StatusCode::NOT_FOUND, "No agent of server " + config::to_text(*identity) +
                                                   " is asked; give its pool weights: agent.")
               : no_check(*identity);
  });
}

grpc::ServerWriteReactor<v1::WatchResponse>* StateService::Watch(grpc::CallbackServerContext*,
                                                                 const v1::WatchRequest* request) {
  return hub_.open(*request);
}

}  // namespace nezu::api
