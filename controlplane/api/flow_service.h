// nezu.v1.FlowService: asks the data plane for flows, and ends them.
//
// Called by gRPC's threads; a request pins one until the workers have answered or its time is up.
#pragma once

#include "controlplane/api/committer.h"
#include "nezu/v1/flows.grpc.pb.h"

namespace nezu::api {

class FlowService final : public v1::FlowService::Service {
 public:
  FlowService(publish::Publisher& publisher, const Committer& committer)
      : publisher_(publisher), committer_(committer) {}

  grpc::Status ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest*,
                         grpc::ServerWriter<v1::ListFlowsResponse>*) override;
  grpc::Status EndFlows(grpc::ServerContext*, const v1::EndFlowsRequest*,
                        v1::EndFlowsResponse*) override;
  // persistence.cc
  grpc::Status ListPersistence(grpc::ServerContext*, const v1::ListPersistenceRequest*,
                               grpc::ServerWriter<v1::ListPersistenceResponse>*) override;
  grpc::Status AddPersistence(grpc::ServerContext*, const v1::AddPersistenceRequest*,
                              v1::AddPersistenceResponse*) override;
  grpc::Status ClearPersistence(grpc::ServerContext*, const v1::ClearPersistenceRequest*,
                                v1::ClearPersistenceResponse*) override;

 private:
  publish::Publisher& publisher_;
  const Committer& committer_;
};

}  // namespace nezu::api
