// instance: network instances, one at a time.
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

struct InstanceKind {
  using Object = v1::NetworkInstance;
  using CreateRequest = v1::CreateInstanceRequest;
  using GetRequest = v1::GetInstanceRequest;
  using ListRequest = v1::ListInstancesRequest;
  using ListResponse = v1::ListInstancesResponse;
  using UpdateRequest = v1::UpdateInstanceRequest;
  using DeleteRequest = v1::DeleteInstanceRequest;
  static constexpr char kExample[] = "number=10 links=front.10,back.10";

  template <typename Request>
  static Object& object(Request& request) {
    return *request.mutable_instance();
  }
  static const auto& objects(const ListResponse& response) { return response.instances(); }
  static std::vector<std::string> titles() { return {"instance", ">number", "links"}; }
  static std::vector<std::string> row(const Object& object);
};

std::vector<std::string> InstanceKind::row(const Object& object) {
  std::string links;
  for (const std::string& link : object.links()) {
    links += (links.empty() ? "" : ", ") + link;
  }
  return {object.name(), std::to_string(object.number()), links};
}

}  // namespace

void add_instance(CLI::App& app, Session& session) {
  add_resource<InstanceKind>(app, session, "instance", "Network instances, one at a time");
}

}  // namespace nezu::cli
