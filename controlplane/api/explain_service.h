// nezu.v1.ExplainService: what would become of a packet.
//
// Called by gRPC's threads; a request pins one until the data plane has answered or its time is up.
#pragma once

#include "controlplane/api/committer.h"
#include "nezu/v1/explain.grpc.pb.h"

namespace nezu::api {

class ExplainService final : public v1::ExplainService::Service {
 public:
  ExplainService(publish::Publisher& publisher, const Committer& committer)
      : publisher_(publisher), committer_(committer) {}

  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest*,
                       v1::ExplainResponse*) override;

 private:
  /// The scheduler that chooses for a service, and in which pool.
  std::string choice(const std::string& service) const;

  publish::Publisher& publisher_;
  const Committer& committer_;
};

}  // namespace nezu::api
