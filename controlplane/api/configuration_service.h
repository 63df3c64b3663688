// nezu.v1.ConfigurationService: turns calls into plans for the committer, and answers reads.
//
// Called by gRPC's threads. A change waits for its turn, its sync and its publication.
#pragma once

#include "controlplane/api/committer.h"
#include "nezu/v1/change.grpc.pb.h"

namespace nezu::api {

class ConfigurationService final : public v1::ConfigurationService::Service {
 public:
  explicit ConfigurationService(Committer& committer) : committer_(committer) {}

  using Context = grpc::ServerContext;
  using Status = grpc::Status;
  using Changed = v1::ChangeResponse;

  Status Apply(Context*, const v1::ApplyRequest*, Changed*) override;
  Status ApplyStream(Context*, grpc::ServerReader<v1::ApplyStreamRequest>*, Changed*) override;
  Status Get(Context*, const v1::GetRequest*, v1::GetResponse*) override;

  Status CreateService(Context*, const v1::CreateServiceRequest*, Changed*) override;
  Status GetService(Context*, const v1::GetServiceRequest*, v1::VirtualService*) override;
  Status ListServices(Context*, const v1::ListServicesRequest*, v1::ListServicesResponse*) override;
  Status UpdateService(Context*, const v1::UpdateServiceRequest*, Changed*) override;
  Status DeleteService(Context*, const v1::DeleteServiceRequest*, Changed*) override;

  Status CreatePool(Context*, const v1::CreatePoolRequest*, Changed*) override;
  Status GetPool(Context*, const v1::GetPoolRequest*, v1::Pool*) override;
  Status ListPools(Context*, const v1::ListPoolsRequest*, v1::ListPoolsResponse*) override;
  Status UpdatePool(Context*, const v1::UpdatePoolRequest*, Changed*) override;
  Status DeletePool(Context*, const v1::DeletePoolRequest*, Changed*) override;

  Status CreateServer(Context*, const v1::CreateServerRequest*, Changed*) override;
  Status GetServer(Context*, const v1::GetServerRequest*, v1::RealServer*) override;
  Status ListServers(Context*, const v1::ListServersRequest*, v1::ListServersResponse*) override;
  Status UpdateServer(Context*, const v1::UpdateServerRequest*, Changed*) override;
  Status DeleteServer(Context*, const v1::DeleteServerRequest*, Changed*) override;
  Status SetServerWeight(Context*, const v1::SetServerWeightRequest*, Changed*) override;
  Status SetServerState(Context*, const v1::SetServerStateRequest*, Changed*) override;

  Status CreateSnatSet(Context*, const v1::CreateSnatSetRequest*, Changed*) override;
  Status GetSnatSet(Context*, const v1::GetSnatSetRequest*, v1::SnatSet*) override;
  Status ListSnatSets(Context*, const v1::ListSnatSetsRequest*, v1::ListSnatSetsResponse*) override;
  Status UpdateSnatSet(Context*, const v1::UpdateSnatSetRequest*, Changed*) override;
  Status DeleteSnatSet(Context*, const v1::DeleteSnatSetRequest*, Changed*) override;
  Status CreateSourceNat(Context*, const v1::CreateSourceNatRequest*, Changed*) override;
  Status GetSourceNat(Context*, const v1::GetSourceNatRequest*, v1::SourceNat*) override;
  Status ListSourceNats(Context*, const v1::ListSourceNatsRequest*,
                        v1::ListSourceNatsResponse*) override;
  Status UpdateSourceNat(Context*, const v1::UpdateSourceNatRequest*, Changed*) override;
  Status DeleteSourceNat(Context*, const v1::DeleteSourceNatRequest*, Changed*) override;

  // instance_calls.cc
  Status CreateInstance(Context*, const v1::CreateInstanceRequest*, Changed*) override;
  Status GetInstance(Context*, const v1::GetInstanceRequest*, v1::NetworkInstance*) override;
  Status ListInstances(Context*, const v1::ListInstancesRequest*,
                       v1::ListInstancesResponse*) override;
  Status UpdateInstance(Context*, const v1::UpdateInstanceRequest*, Changed*) override;
  Status DeleteInstance(Context*, const v1::DeleteInstanceRequest*, Changed*) override;
  Status ChangeAccess(Context*, const v1::ChangeAccessRequest*, Changed*) override;

  Status ListHistory(Context*, const v1::ListHistoryRequest*, v1::ListHistoryResponse*) override;
  Status GetRevision(Context*, const v1::GetRevisionRequest*, v1::GetResponse*) override;
  Status DiffRevisions(Context*, const v1::DiffRevisionsRequest*, v1::Diff*) override;
  Status Rollback(Context*, const v1::RollbackRequest*, Changed*) override;

 private:
  Status change(Context* context, Planner plan, const v1::ChangeOptions& options,
                Changed* response);

  Committer& committer_;
};

/// Who is at the other end: the certificate's name, or the user named by the local client.
std::string author_of(const grpc::ServerContext& context);

}  // namespace nezu::api
