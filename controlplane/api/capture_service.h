// nezu.v1.CaptureService: packets of the running data plane, as they come.
//
// Called by gRPC's threads; a capture pins one until it ends.
#pragma once

#include "controlplane/api/committer.h"
#include "nezu/v1/capture.grpc.pb.h"

namespace nezu::api {

/// What became of a packet; UNSPECIFIED while it is on its way.
v1::CaptureFate fate_of(net::Verdict verdict);

class CaptureService final : public v1::CaptureService::Service {
 public:
  CaptureService(publish::Publisher& publisher, const Committer& committer)
      : publisher_(publisher), committer_(committer) {}

  grpc::Status Capture(grpc::ServerContext*, const v1::CaptureRequest*,
                       grpc::ServerWriter<v1::CaptureResponse>*) override;

 private:
  tables::CaptureOrder order_of(const v1::CaptureRequest& request,
                                config::Problems& problems) const;

  publish::Publisher& publisher_;
  const Committer& committer_;
};

}  // namespace nezu::api
