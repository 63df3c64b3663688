// nezu.v1.SystemService: facts about both programs and their shared memory.
//
// Called by gRPC's threads.
#pragma once

#include <string>
#include <vector>

#include "controlplane/api/monitor.h"
#include "nezu/v1/system.grpc.pb.h"

namespace nezu::api {

class SystemService final : public v1::SystemService::Service {
 public:
  SystemService(publish::Publisher& publisher, const Committer& committer, const Monitor& monitor,
                const health::Engine& health, const WatchHub& hub, std::string state_directory,
                std::vector<std::string> notes);

  grpc::Status GetSystem(grpc::ServerContext*, const v1::GetSystemRequest*, v1::System*) override;

 private:
  void put_control_plane(v1::System& system) const;
  void put_data_plane(v1::System& system, uint64_t now) const;

  publish::Publisher& publisher_;
  const Committer& committer_;
  const Monitor& monitor_;
  const health::Engine& health_;
  const WatchHub& hub_;
  const std::string state_directory_;
  const std::vector<std::string> notes_;
  const google::protobuf::Timestamp started_at_;
};

}  // namespace nezu::api
