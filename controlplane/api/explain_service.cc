#include "controlplane/api/explain_service.h"

#include <algorithm>
#include <cctype>

#include "controlplane/api/data_plane_requests.h"
#include "controlplane/api/errors.h"
#include "controlplane/api/explanation.h"
#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

using grpc::Status;
using grpc::StatusCode;

const publish::PortReading* find_port(const std::string& name, const publish::Reading& now,
                                      config::Problems& problems) {
  const auto at = std::find_if(now.ports.begin(), now.ports.end(),
                               [&](const auto& port) { return port.name == name; });
  if (at != now.ports.end()) {
    return &*at;
  }
  std::string names;
  for (const publish::PortReading& port : now.ports) {
    names += (names.empty() ? "" : ", ") + port.name;
  }
  config::complain(problems, "port", name,
                   names.empty() ? "The data plane has told of no port yet."
                                 : "There is no such port; there are: " + names + ".");
  return nullptr;
}

void check_frame(const std::string& frame, config::Problems& problems) {
  if (frame.size() >= tables::kLeastExplained && frame.size() <= tables::kMostExplained) {
    return;
  }
  config::complain(problems, "frame", std::to_string(frame.size()) + " bytes",
                   "A frame has " + std::to_string(tables::kLeastExplained) + " to " +
                       std::to_string(tables::kMostExplained) +
                       " bytes, from the Ethernet header on.");
}

/// A destination of zeros is nobody's: it stands for the port.
std::vector<uint8_t> addressed(const std::string& frame, const net::MacAddress& mac) {
  std::vector<uint8_t> bytes(frame.begin(), frame.end());
  if (std::all_of(bytes.begin(), bytes.begin() + 6, [](uint8_t byte) { return byte == 0; })) {
    std::copy(mac.bytes.begin(), mac.bytes.end(), bytes.begin());
  }
  return bytes;
}

ExplainNames names_in(const publish::Reading& now) {
  ExplainNames names{SlotNames(now), {}, {}, {}};
  for (const publish::PortReading& port : now.ports) {
    names.ports[port.number] = port.name;
  }
  for (const publish::ServerReading& server : now.servers) {
    names.servers[tables::index(server.id)] = config::to_text(server.identity);
  }
  return names;
}

Status status_of(const tables::Explanation& told, const std::string& port) {
  switch (told.fault) {
    case tables::ExplainFault::none:
      return Status::OK;
    case tables::ExplainFault::port_unknown:
      return {StatusCode::FAILED_PRECONDITION,
              "The running data plane has no port " + port + " any more."};
    case tables::ExplainFault::worker_silent:
      return {StatusCode::DEADLINE_EXCEEDED,
              "Worker " + std::to_string(told.silent) +
                  " did not say in time what it knows of the packet; it is very busy, or stopped."};
    case tables::ExplainFault::unsound:
      break;
  }
  return {StatusCode::UNIMPLEMENTED, "The running data plane does not know this request."};
}

}  // namespace

std::string ExplainService::choice(const std::string& service) const {
  return committer_.read([&](const config::Store& store) {
    const config::Model& model = store.model();
    const v1::VirtualService* found = model.services().find(service);
    const v1::Pool* pool = found != nullptr ? model.pools().find(found->pool()) : nullptr;
    if (pool == nullptr) {
      return std::string("a pool that is gone has");
    }
    std::string scheduler = v1::Scheduler_Name(pool->scheduler()).substr(sizeof("SCHEDULER"));
    std::transform(scheduler.begin(), scheduler.end(), scheduler.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return "pool " + pool->name() + " has, by " + scheduler + ",";
  });
}

Status ExplainService::Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                               v1::ExplainResponse* response) {
  return guarded([&] {
    const publish::Reading now = publisher_.read();
    config::Problems problems;
    const publish::PortReading* port = find_port(request->port(), now, problems);
    check_frame(request->frame(), problems);
    const auto timeout = timeout_of(request->timeout_ms(), problems);
    if (!problems.empty()) {
      // Ports are the data plane's: without one nobody knows any.
      return publisher_.data_plane().attached || port != nullptr
                 ? invalid(problems)
                 : api::status_of(publish::Answer::unavailable);
    }
    const std::vector<uint8_t> frame = addressed(request->frame(), port->mac);
    const auto number = static_cast<uint16_t>(port->number);
    const publish::ExplainAnswer answer = publisher_.explain(number, frame, timeout);
    if (answer.answer == publish::Answer::late) {
      return Status(StatusCode::DEADLINE_EXCEEDED,
                    "The data plane did not answer in time; it may be starting anew. Ask again.");
    }
    if (answer.answer != publish::Answer::complete) {
      return api::status_of(answer.answer);
    }
    if (Status fault = status_of(answer.explanation, port->name); !fault.ok()) {
      return fault;
    }
    ExplainNames names = names_in(now);
    names.choice = [this](const std::string& service) { return choice(service); };
    put(answer.explanation, frame, number, names, *response);
    return Status::OK;
  });
}

}  // namespace nezu::api
