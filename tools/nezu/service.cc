// service: virtual services, one at a time.
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

std::string place_of(const v1::VirtualService& service);

struct ServiceKind {
  using Object = v1::VirtualService;
  using CreateRequest = v1::CreateServiceRequest;
  using GetRequest = v1::GetServiceRequest;
  using ListRequest = v1::ListServicesRequest;
  using ListResponse = v1::ListServicesResponse;
  using UpdateRequest = v1::UpdateServiceRequest;
  using DeleteRequest = v1::DeleteServiceRequest;
  static constexpr char kExample[] = "address=203.0.113.10 port=80 pool=web";

  template <typename Request>
  static Object& object(Request& request) {
    return *request.mutable_service();
  }
  static const auto& objects(const ListResponse& response) { return response.services(); }
  static std::vector<std::string> titles() {
    return {"service",  "address", "protocol", "mode",  "pool",
            "snat set", "enabled", "?for",     "?mark", "?one packet"};
  }
  static std::vector<std::string> row(const Object& object);
};

/// "203.0.113.10:80", "203.0.113.0/24:8000-8099", "0.0.0.0/0".
std::string place_of(const v1::VirtualService& service) {
  const std::string place = address_port(service.address(), service.port());
  return service.last_port() == 0 ? place : place + "-" + std::to_string(service.last_port());
}

/// "192.0.2.0/24", "192.0.2.0/24 +3".
std::string first_of(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return list.size() == 1 ? list[0] : list[0] + " +" + std::to_string(list.size() - 1);
}

/// "192.0.2.0/24 +3", "by back", "192.0.2.0/24 by back +1"; empty: everybody.
std::string callers_of(const v1::VirtualService& service) {
  std::string text;
  if (!service.sources().empty()) {
    text = first_of(service.sources());
  }
  if (!service.interfaces().empty()) {
    text += (text.empty() ? "by " : " by ") + first_of(service.interfaces());
  }
  return text;
}

std::vector<std::string> ServiceKind::row(const Object& object) {
  return {object.name(),
          place_of(object) + instance_text(object.instance()),
          name_of(object.protocol()),
          name_of(object.mode()),
          object.pool(),
          object.snat_set(),
          !object.has_enabled() || object.enabled() ? "yes" : "no",
          callers_of(object),
          object.mark() == 0 ? "" : std::to_string(object.mark()),
          object.one_packet() ? "yes" : ""};
}

}  // namespace

void add_service(CLI::App& app, Session& session) {
  add_resource<ServiceKind>(app, session, "service", "Virtual services, one at a time");
}

}  // namespace nezu::cli
