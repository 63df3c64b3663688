// The calls of ConfigurationService about source NAT rules.
#include "controlplane/api/configuration_service.h"
#include "controlplane/api/pages.h"

namespace nezu::api {

using grpc::Status;

Status ConfigurationService::CreateSourceNat(Context* context,
                                             const v1::CreateSourceNatRequest* request,
                                             Changed* response) {
  return change(context, plan_create(request->source_nat()), request->options(), response);
}
Status ConfigurationService::UpdateSourceNat(Context* context,
                                             const v1::UpdateSourceNatRequest* request,
                                             Changed* response) {
  return change(context, plan_update(request->source_nat(), request->update_mask()),
                request->options(), response);
}
Status ConfigurationService::DeleteSourceNat(Context* context,
                                             const v1::DeleteSourceNatRequest* request,
                                             Changed* response) {
  return change(context, plan_delete_source_nat(request->name()), request->options(), response);
}

Status ConfigurationService::GetSourceNat(Context*, const v1::GetSourceNatRequest* request,
                                          v1::SourceNat* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* rule = store.model().source_nats().find(request->name());
    if (rule == nullptr) {
      return not_found("source NAT rule", request->name());
    }
    *response = *rule;
    return Status::OK;
  });
}

Status ConfigurationService::ListSourceNats(Context*, const v1::ListSourceNatsRequest* request,
                                            v1::ListSourceNatsResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto& rules = store.model().source_nats();
    response->set_next_page_token(
        page(rules, request->page_token(), page_size_of(request->page_size()),
             response->mutable_source_nats(), [](const v1::SourceNat&) { return true; }));
    response->set_total(static_cast<uint32_t>(rules.size()));
    return Status::OK;
  });
}

}  // namespace nezu::api
