// From requests to edits: what each call of ConfigurationService wants, worked out against the
// configuration as it is when its turn comes.
//
// Pure. Planners own copies of their requests.
#pragma once

#include "controlplane/api/committer.h"
#include "nezu/v1/change.pb.h"

namespace nezu::api {

Planner plan_whole(v1::Configuration wanted);
Planner plan_rollback(uint64_t revision);

Planner plan_create(v1::VirtualService service);
Planner plan_create(v1::Pool pool);
Planner plan_create(v1::SnatSet set);
Planner plan_create(v1::SourceNat rule);
Planner plan_update(v1::VirtualService service, google::protobuf::FieldMask mask);
Planner plan_update(v1::Pool pool, google::protobuf::FieldMask mask);
Planner plan_update(v1::SnatSet set, google::protobuf::FieldMask mask);
Planner plan_update(v1::SourceNat rule, google::protobuf::FieldMask mask);
Planner plan_delete_service(std::string name);
Planner plan_delete_pool(std::string name);
Planner plan_delete_snat_set(std::string name);
Planner plan_delete_source_nat(std::string name);
Planner plan_create(v1::NetworkInstance instance);
Planner plan_update(v1::NetworkInstance instance, google::protobuf::FieldMask mask);
Planner plan_delete_instance(std::string name);

Planner plan_create_server(std::string pool, v1::RealServer server);
Planner plan_update_server(std::string pool, v1::RealServer server,
                           google::protobuf::FieldMask mask);
Planner plan_delete_server(std::string pool, v1::ServerIdentity server);
Planner plan_weight(v1::SetServerWeightRequest request);
Planner plan_state(v1::SetServerStateRequest request);

/// The member of `pool` with this identity; -1 when there is none.
int find_server(const v1::Pool& pool, const v1::ServerIdentity& server);

/// What cannot be planned, and why; of the request itself with the field that is wrong.
Plan fault(Fault what, std::string text);
Plan fault(const std::string& field, const std::string& value, const std::string& text);

std::string missing(const std::string& what, const std::string& name);

}  // namespace nezu::api
