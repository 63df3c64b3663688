// Within api/: what calls have in common that ask the running data plane.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>

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
