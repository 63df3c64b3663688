#include "controlplane/api/take_over.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <stdexcept>

#include "controlplane/api/errors.h"
#include "controlplane/api/followed.h"
#include "controlplane/api/plans.h"
#include "controlplane/config/names.h"
#include "nezu/v1/change.grpc.pb.h"
#include "nezu/v1/state.grpc.pb.h"

namespace nezu::api {
namespace {

constexpr std::chrono::seconds kPatience{30};

template <typename Stub, typename Request, typename Response>
void ask(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
         Response& response, const std::string& socket) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const grpc::Status status = (stub.*method)(&context, Request(), &response);
  if (!status.ok()) {
    throw std::runtime_error("Nothing can be taken over from " + socket + ": " +
                             status.error_message() +
                             ". The control plane of before must be running there.");
  }
}

}  // namespace

compile::Conditions take_over(config::Store& store, const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto channel =
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  // States first: what changes in between is found by our own checks.
  v1::ListServerStatusResponse states;
  v1::GetResponse whole;
  const auto state = v1::StateService::NewStub(channel);
  const auto configuration = v1::ConfigurationService::NewStub(channel);
  ask(*state, &v1::StateService::Stub::ListServerStatus, states, socket);
  ask(*configuration, &v1::ConfigurationService::Stub::Get, whole, socket);

  Plan plan = plan_whole(std::move(*whole.mutable_configuration()))(store);
  const config::Staged staged =
      store.stage(std::move(plan.edit), {"take-over", "from " + socket}, std::move(plan.problems));
  if (!staged.problems.empty()) {
    throw std::runtime_error("The configuration of " + socket + " cannot be taken over. " +
                             invalid(staged.problems).error_message());
  }
  store.sync();

  compile::Conditions found;
  for (const v1::ServerStatus& status : states.servers()) {
    const auto identity = config::identity_of(status.server());
    if (!identity) {
      continue;
    }
    if (status.health() == v1::HEALTH_HEALTHY || status.health() == v1::HEALTH_FAILED) {
      found.verdicts[*identity] = status.health() == v1::HEALTH_HEALTHY;
    }
    for (const v1::FollowedWeight& followed : status.followed()) {
      const v1::Pool* pool = store.model().pools().find(followed.pool());
      const auto source = pool != nullptr ? compile::source_of(*pool) : std::nullopt;
      if (source) {
        found.shares[followed.pool()][*identity] = share_of(followed, *source);
      }
    }
  }
  return found;
}

}  // namespace nezu::api
