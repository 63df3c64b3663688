// Changing some entries of an access list.
#include <set>

#include "controlplane/api/configuration_service.h"
#include "controlplane/api/plans.h"
#include "controlplane/config/normalise.h"

namespace nezu::api {
namespace {

using Entries = google::protobuf::RepeatedPtrField<std::string>;

using Set = std::set<std::string>;

Set set_of(const Entries& list) { return {list.begin(), list.end()}; }

void put_back(const Set& set, Entries& list) {
  list.Clear();
  for (const std::string& entry : set) {
    *list.Add() = entry;
  }
}

/// The first entry that cannot be removed, as it is not there; else empty.
std::string change_list(const v1::ChangeAccessRequest& request, v1::AccessList& access) {
  Set allow = set_of(access.allow()), deny = set_of(access.deny());
  const auto put = [](const Entries& from, Set& to, Set& other) {
    for (std::string entry : from) {
      config::canonical_network(entry);
      other.erase(entry);
      to.insert(std::move(entry));
    }
  };
  put(request.allow(), allow, deny);
  put(request.deny(), deny, allow);
  for (std::string entry : request.remove()) {
    config::canonical_network(entry);
    if (allow.erase(entry) + deny.erase(entry) == 0) {
      return entry;
    }
  }
  put_back(allow, *access.mutable_allow());
  put_back(deny, *access.mutable_deny());
  return {};
}

bool is_empty(const v1::AccessList& access) {
  return access.allow().empty() && access.deny().empty() && !access.deny_others();
}

/// The object with its list changed, or why not.
template <typename Object>
Plan changed(const v1::ChangeAccessRequest& request, Object object,
             Object* (*put)(store::Edit& edit)) {
  const std::string unknown = change_list(request, *object.mutable_access());
  if (!unknown.empty()) {
    return fault(Fault::not_found,
                 "Prefix " + unknown + " is in neither list; nothing was changed.");
  }
  if (is_empty(object.access())) {
    object.clear_access();
  }
  Plan plan;
  *put(plan.edit) = std::move(object);
  return plan;
}

Plan plan_of(const config::Model& model, const v1::ChangeAccessRequest& request) {
  if (request.service().empty() == request.instance().empty()) {
    return fault(request.service().empty() ? "service" : "instance", request.instance(),
                 "Name a service or a network instance, one of the two.");
  }
  if (!request.service().empty()) {
    const auto* service = model.services().find(request.service());
    return service == nullptr
               ? fault(Fault::not_found, missing("service", request.service()))
               : changed<v1::VirtualService>(request, *service,
                                             [](store::Edit& edit) { return edit.add_services(); });
  }
  if (request.instance() == "standard") {
    return changed<v1::Settings>(request, model.settings(),
                                 [](store::Edit& edit) { return edit.mutable_settings(); });
  }
  const auto* instance = model.instances().find(request.instance());
  return instance == nullptr
             ? fault(Fault::not_found, missing("network instance", request.instance()))
             : changed<v1::NetworkInstance>(request, *instance,
                                            [](store::Edit& edit) { return edit.add_instances(); });
}

}  // namespace

grpc::Status ConfigurationService::ChangeAccess(Context* context,
                                                const v1::ChangeAccessRequest* request,
                                                Changed* response) {
  const Planner planner = [request = *request](const config::Store& store) {
    return plan_of(store.model(), request);
  };
  return change(context, planner, request->options(), response);
}

}  // namespace nezu::api
