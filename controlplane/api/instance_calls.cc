// The calls of ConfigurationService about network instances.
#include "controlplane/api/configuration_service.h"
#include "controlplane/api/errors.h"
#include "controlplane/api/pages.h"
#include "controlplane/api/plans.h"

namespace nezu::api {

namespace {

using grpc::Status;

/// Somebody in that network instance; empty when it is nobody's.
std::string user_of(const config::Model& model, uint32_t instance) {
  const auto first = [instance](const auto& objects, const char* what) -> std::string {
    for (const auto& [name, object] : objects) {
      if (object->instance() == instance) {
        return std::string(what) + " " + name;
      }
    }
    return {};
  };
  std::string user = first(model.services(), "service");
  if (user.empty()) {
    user = first(model.pools(), "pool");
  }
  return user.empty() ? first(model.snat_sets(), "SNAT set") : user;
}

}  // namespace

Planner plan_delete_instance(std::string name) {
  return [name = std::move(name)](const config::Store& store) {
    const v1::NetworkInstance* instance = store.model().instances().find(name);
    if (instance == nullptr) {
      return fault(Fault::not_found, missing("network instance", name));
    }
    const std::string user = user_of(store.model(), instance->number());
    if (instance->number() != 0 && !user.empty()) {
      return fault(Fault::in_use, "Network instance " + name + " is used by " + user +
                                      "; remove all services, pools and SNAT sets in it, or " +
                                      "move them to another one, first.");
    }
    Plan plan;
    plan.edit.add_removed_instances(name);
    return plan;
  };
}

Status ConfigurationService::CreateInstance(Context* context,
                                            const v1::CreateInstanceRequest* request,
                                            Changed* response) {
  return change(context, plan_create(request->instance()), request->options(), response);
}

Status ConfigurationService::UpdateInstance(Context* context,
                                            const v1::UpdateInstanceRequest* request,
                                            Changed* response) {
  return change(context, plan_update(request->instance(), request->update_mask()),
                request->options(), response);
}

Status ConfigurationService::DeleteInstance(Context* context,
                                            const v1::DeleteInstanceRequest* request,
                                            Changed* response) {
  return change(context, plan_delete_instance(request->name()), request->options(), response);
}

Status ConfigurationService::GetInstance(Context*, const v1::GetInstanceRequest* request,
                                         v1::NetworkInstance* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* instance = store.model().instances().find(request->name());
    if (instance == nullptr) {
      return not_found("network instance", request->name());
    }
    *response = *instance;
    return Status::OK;
  });
}

Status ConfigurationService::ListInstances(Context*, const v1::ListInstancesRequest* request,
                                           v1::ListInstancesResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto& instances = store.model().instances();
    response->set_next_page_token(
        page(instances, request->page_token(), page_size_of(request->page_size()),
             response->mutable_instances(), [](const v1::NetworkInstance&) { return true; }));
    response->set_total(static_cast<uint32_t>(instances.size()));
    return Status::OK;
  });
}

}  // namespace nezu::api
