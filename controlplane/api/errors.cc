#include "controlplane/api/errors.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace nezu::api {
namespace {

grpc::StatusCode code_of(Fault fault) {
  switch (fault) {
    case Fault::none:
      return grpc::StatusCode::OK;
    case Fault::invalid:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Fault::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case Fault::exists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Fault::in_use:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Fault::conflict:
      return grpc::StatusCode::ABORTED;
    case Fault::full:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Fault::disk:
      return grpc::StatusCode::UNAVAILABLE;
    case Fault::internal:
      break;
  }
  return grpc::StatusCode::INTERNAL;
}

std::string sentence_of(const v1::Problem& problem) {
  return problem.field() + (problem.value().empty() ? "" : " = \"" + problem.value() + "\"") +
         ": " + problem.description();
}

}  // namespace

grpc::Status invalid(const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
  google::rpc::BadRequest details;
  for (int i = 0; i < problems.size() && i < kMostViolations; ++i) {
    auto& violation = *details.add_field_violations();
    violation.set_field(problems[i].field());
    violation.set_description(problems[i].value().empty() ? problems[i].description()
                                                          : "\"" + problems[i].value() +
                                                                "\": " + problems[i].description());
  }
  const std::string message =
      problems.size() == 1
          ? sentence_of(problems[0])
          : "There are " + std::to_string(problems.size()) + " problems; nothing was changed. " +
                (problems.empty() ? "" : "The first: " + sentence_of(problems[0]));
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  status.set_message(message);
  status.add_details()->PackFrom(details);
  return {grpc::StatusCode::INVALID_ARGUMENT, message, status.SerializeAsString()};
}

grpc::Status invalid(const config::Problems& problems) {
  return invalid(google::protobuf::RepeatedPtrField<v1::Problem>(problems.begin(), problems.end()));
}

grpc::Status invalid(const std::string& field, const std::string& value, const std::string& text) {
  v1::Problem problem;
  problem.set_field(field);
  problem.set_value(value);
  problem.set_description(text);
  return invalid(config::Problems{problem});
}

grpc::Status status_of(const Answer& answer) {
  if (answer.fault == Fault::invalid) {
    return invalid(answer.response.problems());
  }
  return {code_of(answer.fault), answer.text};
}

}  // namespace nezu::api
