// Changing some entries of an access list.
#include <algorithm>

#include "controlplane/api/configuration_service.h"
#include "controlplane/api/plans.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"

namespace nezu::api {
namespace {

using Entries = google::protobuf::RepeatedPtrField<std::string>;

Plan refusal(Fault fault, std::string text) {
  Plan plan;
  plan.fault = fault;
  plan.text = std::move(text);
  return plan;
}

bool take_out(Entries& list, const std::string& entry) {
  const auto found = std::find(list.begin(), list.end(), entry);
  if (found == list.end()) {
    return false;
  }
  list.erase(found);
  return true;
}

/// The first entry that cannot be removed, as it is not there; else empty.
std::string change_list(const v1::ChangeAccessRequest& request, v1::AccessList& access) {
  const auto put = [&](const Entries& from, Entries& to, Entries& other) {
    for (std::string entry : from) {
      config::canonical_network(entry);
      take_out(other, entry);
      if (std::find(to.begin(), to.end(), entry) == to.end()) {
        *to.Add() = entry;
      }
    }
  };
  put(request.allow(), *access.mutable_allow(), *access.mutable_deny());
  put(request.deny(), *access.mutable_deny(), *access.mutable_allow());
  for (std::string entry : request.remove()) {
    config::canonical_network(entry);
    if (!take_out(*access.mutable_allow(), entry) && !take_out(*access.mutable_deny(), entry)) {
      return entry;
    }
  }
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
    return refusal(Fault::not_found,
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
    Plan plan;
    config::complain(plan.problems, request.service().empty() ? "service" : "instance",
                     request.instance(), "Name a service or a network instance, one of the two.");
    return plan;
  }
  if (!request.service().empty()) {
    const auto* service = model.services().find(request.service());
    return service == nullptr
               ? refusal(Fault::not_found, missing("service", request.service()))
               : changed<v1::VirtualService>(request, *service,
                                             [](store::Edit& edit) { return edit.add_services(); });
  }
  if (request.instance() == "standard") {
    return changed<v1::Settings>(request, model.settings(),
                                 [](store::Edit& edit) { return edit.mutable_settings(); });
  }
  const auto* instance = model.instances().find(request.instance());
  return instance == nullptr
             ? refusal(Fault::not_found, missing("network instance", request.instance()))
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
