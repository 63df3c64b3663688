// The real server on a Unix socket over a fake region, and stubs to call it.
#pragma once

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>

#include "controlplane/api/server.h"
#include "controlplane/config/yaml.h"
#include "fake_publisher.h"
#include "nezu/v1/change.grpc.pb.h"
#include "nezu/v1/flows.grpc.pb.h"
#include "nezu/v1/state.grpc.pb.h"
#include "nezu/v1/system.grpc.pb.h"
#include "tests/unit/config/sample.h"

namespace nezu::api {

using grpc::StatusCode;

class Api : public testing::Test {
 protected:
  Api() { start(); }

  void start() {
    ServerOptions options;
    options.state_dir = folder.at("state");
    options.socket = folder.at("api.sock");
    server = std::make_unique<Server>(options, publisher);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel("unix:" + options.socket,
                                        grpc::InsecureChannelCredentials(), arguments);
    configuration = v1::ConfigurationService::NewStub(channel);
    state = v1::StateService::NewStub(channel);
    flows = v1::FlowService::NewStub(channel);
    system = v1::SystemService::NewStub(channel);
  }
  void restart() {
    server.reset();
    start();
  }

  /// A request from YAML.
  template <typename Request>
  static Request from(const std::string& yaml) {
    Request request;
    const config::Problems problems = config::from_yaml(yaml, request);
    EXPECT_TRUE(problems.empty()) << config::text_of(problems);
    return request;
  }

  /// Calls `method` of `stub` with a deadline; the status is kept in `status`.
  template <typename Stub, typename Request, typename Response>
  Response call(Stub& stub,
                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    Response response;
    status = (stub.*method)(&context, request, &response);
    return response;
  }

  v1::ChangeResponse apply(const v1::Configuration& wanted, bool dry_run = false,
                           uint64_t expected = 0) {
    v1::ApplyRequest request;
    *request.mutable_configuration() = wanted;
    request.mutable_options()->set_dry_run(dry_run);
    request.mutable_options()->set_expected_revision(expected);
    return call(*configuration, &v1::ConfigurationService::Stub::Apply, request);
  }
  v1::GetResponse get() {
    return call(*configuration, &v1::ConfigurationService::Stub::Get, v1::GetRequest());
  }
  v1::ChangeResponse set_weight(uint32_t weight) {
    return call(*configuration, &v1::ConfigurationService::Stub::SetServerWeight,
                from<v1::SetServerWeightRequest>(
                    "{pool: web, server: {address: 10.0.0.1, port: 8080}, weight: " +
                    std::to_string(weight) + "}"));
  }

  config::Folder folder;
  FakePublisher publisher;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ConfigurationService::Stub> configuration;
  std::unique_ptr<v1::StateService::Stub> state;
  std::unique_ptr<v1::FlowService::Stub> flows;
  std::unique_ptr<v1::SystemService::Stub> system;
  grpc::Status status;
};

using ConfigurationStub = v1::ConfigurationService::Stub;
using StateStub = v1::StateService::Stub;

}  // namespace nezu::api
