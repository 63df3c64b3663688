// nezu.v1.StateService: states of servers, statistics, Watch, ExplainCheck,
// ReturnServer.
//
// Called by gRPC's threads; Watch is a callback reactor and pins none.
#pragma once

#include "controlplane/api/monitor.h"
#include "controlplane/api/watch_hub.h"
#include "controlplane/health/engine.h"
#include "nezu/v1/state.grpc.pb.h"

namespace nezu::api {

class StateService final
    : public v1::StateService::WithCallbackMethod_Watch<v1::StateService::Service> {
 public:
  StateService(publish::Publisher& publisher, const Committer& committer, const Monitor& monitor,
               health::Engine& health, const health::Weights& weights, WatchHub& hub)
      : publisher_(publisher),
        committer_(committer),
        monitor_(monitor),
        health_(health),
        weights_(weights),
        hub_(hub) {}

  grpc::Status ListServerStatus(grpc::ServerContext*, const v1::ListServerStatusRequest*,
                                v1::ListServerStatusResponse*) override;
  grpc::Status GetStatistics(grpc::ServerContext*, const v1::GetStatisticsRequest*,
                             v1::Statistics*) override;
  grpc::Status ExplainCheck(grpc::ServerContext*, const v1::ExplainCheckRequest*,
                            v1::ExplainCheckResponse*) override;
  grpc::Status ReturnServer(grpc::ServerContext*, const v1::ReturnServerRequest*,
                            v1::ReturnServerResponse*) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override;

 private:
  publish::Publisher& publisher_;
  const Committer& committer_;
  const Monitor& monitor_;
  health::Engine& health_;
  const health::Weights& weights_;
  WatchHub& hub_;
};

}  // namespace nezu::api
