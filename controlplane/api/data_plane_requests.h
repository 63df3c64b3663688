// Within api/: what calls have in common that ask the running data plane.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>

#include "controlplane/api/errors.h"
#include "controlplane/config/validate.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// In ms; 0 is the default, 5 s.
std::chrono::milliseconds timeout_of(uint32_t wanted, config::Problems& problems);
/// Records; 0 is the default, 1000.
uint32_t limit_of(uint32_t wanted, config::Problems& problems);
/// An empty text leaves `to` alone.
void put_address(const std::string& text, const std::string& field, net::Address& to,
                 config::Problems& problems);
/// Null: there is none, and `problems` says so at `field`.
const publish::ServiceReading* find_service(const std::string& name, const std::string& field,
                                            const publish::Reading& now,
                                            config::Problems& problems);
/// What filters have in common: `client`, `server_address`, `instance` and `service`. A name that
/// is not in the tables is a mistake of who asks, not a filter that nothing matches.
template <typename Filter>
void resolve_common(const Filter& from, const publish::Reading& now, tables::FlowFilter& to,
                    config::Problems& problems) {
  put_address(from.client(), "filter.client", to.client, problems);
  put_address(from.server_address(), "filter.server_address", to.server, problems);
  if (from.has_instance()) {
    config::check_range(from.instance(), 0, 65534, "", "filter.instance", problems);
    to.instance = static_cast<net::Instance>(from.instance());
  }
  if (!from.service().empty()) {
    if (const auto* service = find_service(from.service(), "filter.service", now, problems)) {
      to.service = service->id;
    }
  }
}
/// Of a request that ends or clears: everything is meant only when it says so. `what`: as "would
/// end every flow".
template <typename Request>
grpc::Status check_meant(const Request& request, const std::string& what) {
  const bool is_empty = request.filter().ByteSizeLong() == 0;
  if (is_empty && !request.all()) {
    return invalid("filter", "",
                   "The filter is empty, which " + what + "; set `all` if that is meant.");
  }
  if (!is_empty && request.all()) {
    return invalid("all", "true", "A filter and `all` contradict each other; give one of them.");
  }
  return grpc::Status::OK;
}
grpc::Status status_of(publish::Answer answer);

/// Sends what `ask(found)` finds, put into messages of a bounded size by `put(record, message)`;
/// the last message says that all have come, and how many matched.
template <typename Message, typename Ask, typename Put>
grpc::Status send_records(const grpc::ServerContext& context, grpc::ServerWriter<Message>& writer,
                          Ask ask, Put put) {
  constexpr int kInMessage = 256;
  Message message;
  int count = 0;
  const auto found = [&](const tables::FlowRecord& record) {
    put(record, message);
    if (++count < kInMessage) {
      return true;
    }
    const bool is_open = !context.IsCancelled() && writer.Write(message);
    message.Clear();
    count = 0;
    return is_open;
  };
  const publish::FlowAnswer answer = ask(found);
  if (count != 0) {
    writer.Write(message);
  }
  const grpc::Status status = status_of(answer.answer);
  if (status.ok()) {
    message.Clear();
    message.set_complete(true);
    message.set_matched(answer.matched);
    writer.Write(message);
  }
  return status;
}

}  // namespace nezu::api
