// pool: pools, one at a time.
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

struct PoolKind {
  using Object = v1::Pool;
  using CreateRequest = v1::CreatePoolRequest;
  using GetRequest = v1::GetPoolRequest;
  using ListRequest = v1::ListPoolsRequest;
  using ListResponse = v1::ListPoolsResponse;
  using UpdateRequest = v1::UpdatePoolRequest;
  using DeleteRequest = v1::DeletePoolRequest;
  static constexpr char kExample[] = "scheduler=wrr check={tcp: {}}";

  template <typename Request>
  static Object& object(Request& request) {
    return *request.mutable_pool();
  }
  static const auto& objects(const ListResponse& response) { return response.pools(); }
  static std::vector<std::string> titles() {
    return {"pool", ">instance", "scheduler", "protocol", ">servers", "check", "description"};
  }
  static std::vector<std::string> row(const Object& object);
};

std::string check_text(const v1::Pool& pool) {
  if (!pool.has_check()) {
    return "none";
  }
  const std::string every = " every " + std::to_string(pool.check().interval_ms()) + " ms";
  switch (pool.check().kind_case()) {
    case v1::HealthCheck::kIcmp:
      return "icmp" + every;
    case v1::HealthCheck::kTcp:
      return "tcp" + every;
    case v1::HealthCheck::kHttp:
      return "http " + pool.check().http().path() + every;
    case v1::HealthCheck::KIND_NOT_SET:
      break;
  }
  return "none";
}

std::vector<std::string> PoolKind::row(const Object& object) {
  return {object.name(),
          std::to_string(object.instance()),
          name_of(object.scheduler()),
          name_of(object.protocol()),
          std::to_string(object.servers_size()),
          check_text(object),
          object.description()};
}

}  // namespace

void add_pool(CLI::App& app, Session& session) {
  add_resource<PoolKind>(app, session, "pool", "Pools, one at a time");
}

}  // namespace nezu::cli
