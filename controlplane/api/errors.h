// Faults as gRPC statuses. Any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controlplane/api/committer.h"

namespace nezu::api {

/// INVALID_ARGUMENT with google.rpc.BadRequest in its details: the first 50, and all counted in
/// the message.
grpc::Status invalid(const google::protobuf::RepeatedPtrField<v1::Problem>& problems);
grpc::Status invalid(const config::Problems& problems);
grpc::Status invalid(const std::string& field, const std::string& value, const std::string& text);

grpc::Status status_of(const Answer& answer);

inline constexpr int kMostViolations = 50;

/// Runs a handler; whatever it throws becomes INTERNAL.
template <typename Handler>
grpc::Status guarded(Handler handler) {
  try {
    return handler();
  } catch (const std::exception& error) {
    return {grpc::StatusCode::INTERNAL, std::string("The control plane failed: ") + error.what()};
  }
}

}  // namespace nezu::api
