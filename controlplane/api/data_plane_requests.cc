#include "controlplane/api/data_plane_requests.h"

#include <algorithm>

namespace nezu::api {

using grpc::Status;
using grpc::StatusCode;

std::chrono::milliseconds timeout_of(uint32_t wanted, config::Problems& problems) {
  config::check_range(wanted, wanted == 0 ? 0 : 100, 60'000, "", "timeout_ms", problems);
  return std::chrono::milliseconds(wanted == 0 ? 5000 : wanted);
}

void put_address(const std::string& text, const std::string& field, net::Address& to,
                 config::Problems& problems) {
  if (text.empty()) {
    return;
  }
  if (const auto address = net::parse_address(text)) {
    to = *address;
  } else {
    config::complain(problems, field, text, "This is no IPv4 or IPv6 address.");
  }
}

uint32_t limit_of(uint32_t wanted, config::Problems& problems) {
  config::check_range(wanted, 0, 1'000'000, "", "limit", problems);
  return wanted == 0 ? 1000 : wanted;
}

const publish::ServiceReading* find_service(const std::string& name, const std::string& field,
                                            const publish::Reading& now,
                                            config::Problems& problems) {
  const auto at = std::find_if(now.services.begin(), now.services.end(),
                               [&](const auto& one) { return one.name == name; });
  if (at == now.services.end()) {
    config::complain(problems, field, name, "There is no such service.");
    return nullptr;
  }
  return &*at;
}

Status status_of(publish::Answer answer) {
  switch (answer) {
    case publish::Answer::complete:
      return Status::OK;
    case publish::Answer::late:
      return {StatusCode::DEADLINE_EXCEEDED,
              "Not every worker answered in time; what came is listed. Ask with a longer timeout."};
    case publish::Answer::unavailable:
      return {StatusCode::UNAVAILABLE, "No data plane is running; start nezu-dataplane."};
    case publish::Answer::refused:
      return {StatusCode::UNIMPLEMENTED, "The running data plane does not know this request."};
  }
  return {StatusCode::INTERNAL, "The data plane gave an unknown answer."};
}

}  // namespace nezu::api
