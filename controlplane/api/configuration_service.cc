#include "controlplane/api/configuration_service.h"

#include "controlplane/api/errors.h"
#include "controlplane/api/pages.h"
#include "controlplane/api/plans.h"
#include "controlplane/config/diff.h"
#include "controlplane/config/names.h"
#include "controlplane/config/update.h"

namespace nezu::api {
namespace {

using grpc::Status;
using grpc::StatusCode;

/// More than any configuration within the limits of the tables.
constexpr size_t kLargestStream = 512u << 20;

Status not_kept(uint64_t revision, const config::Store& store) {
  return {StatusCode::NOT_FOUND, "Revision " + std::to_string(revision) +
                                     " is not kept; the revisions from " +
                                     std::to_string(store.oldest_kept()) + " to " +
                                     std::to_string(store.revision()) + " are."};
}

Status get_revision(const config::Store& store, uint64_t revision, v1::GetResponse* response) {
  auto configuration = store.configuration_at(revision);
  if (!configuration) {
    return not_kept(revision, store);
  }
  *response->mutable_configuration() = std::move(*configuration);
  response->set_revision(revision);
  if (const auto entry = store.entry_of(revision)) {
    *response->mutable_changed_at() = entry->time();
    response->set_author(entry->author());
    response->set_comment(entry->comment());
  }
  return Status::OK;
}

/// Text in the order of identities, in which pools keep their servers.
std::string order_key(const v1::RealServer& server) {
  const auto identity = config::identity_of(server).value_or(tables::ServerIdentity{});
  std::string key;
  const auto add = [&key](unsigned byte) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    key += kDigits[byte >> 4];
    key += kDigits[byte & 15];
  };
  for (const uint8_t byte : identity.address.bytes) {
    add(byte);
  }
  add(identity.port >> 8);
  add(identity.port & 0xffu);
  return key;
}

}  // namespace

std::string author_of(const grpc::ServerContext& context) {
  const auto auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    for (const char* property : {"x509_common_name", "x509_subject_alternative_name"}) {
      const auto values = auth->FindPropertyValues(property);
      if (!values.empty()) {
        return std::string(values[0].data(), values[0].size());
      }
    }
  }
  const auto user = context.client_metadata().find("nezu-user");
  return user == context.client_metadata().end()
             ? "local"
             : "local, " +
                   std::string(user->second.data(), std::min<size_t>(user->second.size(), 64));
}

Status ConfigurationService::change(Context* context, Planner plan,
                                    const v1::ChangeOptions& options, Changed* response) {
  return guarded([&] {
    if (options.comment().size() > 255) {
      return invalid("options.comment", options.comment(), "The comment is longer than 255 bytes.");
    }
    Answer answer = committer_.submit({std::move(plan), options, author_of(*context)}).get();
    const Status status = status_of(answer);
    *response = std::move(answer.response);
    return status;
  });
}

Status ConfigurationService::Apply(Context* context, const v1::ApplyRequest* request,
                                   Changed* response) {
  return change(context, plan_whole(request->configuration()), request->options(), response);
}

Status ConfigurationService::ApplyStream(Context* context,
                                         grpc::ServerReader<v1::ApplyStreamRequest>* reader,
                                         Changed* response) {
  return guarded([&] {
    v1::Configuration whole;
    v1::ChangeOptions options;
    v1::ApplyStreamRequest message;
    size_t bytes = 0;
    for (bool is_first = true; reader->Read(&message); is_first = false) {
      bytes += message.ByteSizeLong();
      if (bytes > kLargestStream) {
        return Status(StatusCode::RESOURCE_EXHAUSTED,
                      "The configuration is longer than 512 MiB; nothing was changed.");
      }
      if (is_first) {
        options = message.options();
      } else if (message.has_options()) {
        return invalid("options", "", "Only the first message may have options.");
      }
      if (whole.has_settings() && message.part().has_settings()) {
        return invalid("part.settings", "", "Only one of the parts may have settings.");
      }
      config::add_part(whole, std::move(*message.mutable_part()));
    }
    // An end that is a cancellation must not be taken for a whole configuration.
    if (context->IsCancelled()) {
      return Status(StatusCode::CANCELLED, "The client ended the stream; nothing was changed.");
    }
    return change(context, plan_whole(std::move(whole)), options, response);
  });
}

Status ConfigurationService::Get(Context*, const v1::GetRequest*, v1::GetResponse* response) {
  return guarded([&] {
    return committer_.read([&](const config::Store& store) {
      return get_revision(store, store.revision(), response);
    });
  });
}

Status ConfigurationService::CreateService(Context* context,
                                           const v1::CreateServiceRequest* request,
                                           Changed* response) {
  return change(context, plan_create(request->service()), request->options(), response);
}
Status ConfigurationService::UpdateService(Context* context,
                                           const v1::UpdateServiceRequest* request,
                                           Changed* response) {
  return change(context, plan_update(request->service(), request->update_mask()),
                request->options(), response);
}
Status ConfigurationService::DeleteService(Context* context,
                                           const v1::DeleteServiceRequest* request,
                                           Changed* response) {
  return change(context, plan_delete_service(request->name()), request->options(), response);
}
Status ConfigurationService::CreatePool(Context* context, const v1::CreatePoolRequest* request,
                                        Changed* response) {
  return change(context, plan_create(request->pool()), request->options(), response);
}
Status ConfigurationService::UpdatePool(Context* context, const v1::UpdatePoolRequest* request,
                                        Changed* response) {
  return change(context, plan_update(request->pool(), request->update_mask()), request->options(),
                response);
}
Status ConfigurationService::DeletePool(Context* context, const v1::DeletePoolRequest* request,
                                        Changed* response) {
  return change(context, plan_delete_pool(request->name()), request->options(), response);
}
Status ConfigurationService::CreateServer(Context* context, const v1::CreateServerRequest* request,
                                          Changed* response) {
  return change(context, plan_create_server(request->pool(), request->server()), request->options(),
                response);
}
Status ConfigurationService::UpdateServer(Context* context, const v1::UpdateServerRequest* request,
                                          Changed* response) {
  return change(context,
                plan_update_server(request->pool(), request->server(), request->update_mask()),
                request->options(), response);
}
Status ConfigurationService::DeleteServer(Context* context, const v1::DeleteServerRequest* request,
                                          Changed* response) {
  return change(context, plan_delete_server(request->pool(), request->server()), request->options(),
                response);
}
Status ConfigurationService::SetServerWeight(Context* context,
                                             const v1::SetServerWeightRequest* request,
                                             Changed* response) {
  return change(context, plan_weight(*request), request->options(), response);
}
Status ConfigurationService::SetServerState(Context* context,
                                            const v1::SetServerStateRequest* request,
                                            Changed* response) {
  return change(context, plan_state(*request), request->options(), response);
}
Status ConfigurationService::CreateSnatSet(Context* context,
                                           const v1::CreateSnatSetRequest* request,
                                           Changed* response) {
  return change(context, plan_create(request->snat_set()), request->options(), response);
}
Status ConfigurationService::UpdateSnatSet(Context* context,
                                           const v1::UpdateSnatSetRequest* request,
                                           Changed* response) {
  return change(context, plan_update(request->snat_set(), request->update_mask()),
                request->options(), response);
}
Status ConfigurationService::DeleteSnatSet(Context* context,
                                           const v1::DeleteSnatSetRequest* request,
                                           Changed* response) {
  return change(context, plan_delete_snat_set(request->name()), request->options(), response);
}
Status ConfigurationService::Rollback(Context* context, const v1::RollbackRequest* request,
                                      Changed* response) {
  return change(context, plan_rollback(request->revision()), request->options(), response);
}

Status ConfigurationService::GetService(Context*, const v1::GetServiceRequest* request,
                                        v1::VirtualService* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* service = store.model().services().find(request->name());
    if (service == nullptr) {
      return not_found("service", request->name());
    }
    *response = *service;
    return Status::OK;
  });
}

Status ConfigurationService::ListServices(Context*, const v1::ListServicesRequest* request,
                                          v1::ListServicesResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto& services = store.model().services();
    const std::string& pool = request->pool();
    if (!pool.empty() && store.model().pools().find(pool) == nullptr) {
      return not_found("pool", pool);
    }
    response->set_next_page_token(page(
        services, request->page_token(), page_size_of(request->page_size()),
        response->mutable_services(),
        [&](const v1::VirtualService& service) { return pool.empty() || service.pool() == pool; }));
    response->set_total(static_cast<uint32_t>(
        pool.empty() ? services.size() : store.model().users_of_pool(pool).size()));
    return Status::OK;
  });
}

Status ConfigurationService::GetPool(Context*, const v1::GetPoolRequest* request,
                                     v1::Pool* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* pool = store.model().pools().find(request->name());
    if (pool == nullptr) {
      return not_found("pool", request->name());
    }
    *response = *pool;
    return Status::OK;
  });
}

Status ConfigurationService::ListPools(Context*, const v1::ListPoolsRequest* request,
                                       v1::ListPoolsResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto& pools = store.model().pools();
    response->set_next_page_token(
        page(pools, request->page_token(), page_size_of(request->page_size()),
             response->mutable_pools(), [](const v1::Pool&) { return true; }));
    response->set_total(static_cast<uint32_t>(pools.size()));
    return Status::OK;
  });
}

Status ConfigurationService::GetServer(Context*, const v1::GetServerRequest* request,
                                       v1::RealServer* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* pool = store.model().pools().find(request->pool());
    if (pool == nullptr) {
      return not_found("pool", request->pool());
    }
    const int at = find_server(*pool, request->server());
    if (at < 0) {
      return not_found(
          "server of pool " + pool->name(),
          request->server().address() + ":" + std::to_string(request->server().port()));
    }
    *response = pool->servers(at);
    return Status::OK;
  });
}

Status ConfigurationService::ListServers(Context*, const v1::ListServersRequest* request,
                                         v1::ListServersResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* pool = store.model().pools().find(request->pool());
    if (pool == nullptr) {
      return not_found("pool", request->pool());
    }
    // A token is the key of the last server of the page before: stable when others change.
    for (const v1::RealServer& server : pool->servers()) {
      const std::string key = order_key(server);
      if (!request->page_token().empty() && key <= request->page_token()) {
        continue;
      }
      if (static_cast<uint32_t>(response->servers_size()) == page_size_of(request->page_size())) {
        response->set_next_page_token(order_key(*response->servers().rbegin()));
        break;
      }
      *response->add_servers() = server;
    }
    response->set_total(static_cast<uint32_t>(pool->servers_size()));
    return Status::OK;
  });
}

Status ConfigurationService::GetSnatSet(Context*, const v1::GetSnatSetRequest* request,
                                        v1::SnatSet* response) {
  return committer_.read([&](const config::Store& store) {
    const auto* set = store.model().snat_sets().find(request->name());
    if (set == nullptr) {
      return not_found("SNAT set", request->name());
    }
    *response = *set;
    return Status::OK;
  });
}

Status ConfigurationService::ListSnatSets(Context*, const v1::ListSnatSetsRequest* request,
                                          v1::ListSnatSetsResponse* response) {
  return committer_.read([&](const config::Store& store) {
    const auto& sets = store.model().snat_sets();
    response->set_next_page_token(
        page(sets, request->page_token(), page_size_of(request->page_size()),
             response->mutable_snat_sets(), [](const v1::SnatSet&) { return true; }));
    response->set_total(static_cast<uint32_t>(sets.size()));
    return Status::OK;
  });
}

Status ConfigurationService::ListHistory(Context*, const v1::ListHistoryRequest* request,
                                         v1::ListHistoryResponse* response) {
  return committer_.read([&](const config::Store& store) {
    for (auto& entry : store.history(request->limit() == 0 ? 20 : request->limit())) {
      *response->add_entries() = std::move(entry);
    }
    return Status::OK;
  });
}

Status ConfigurationService::GetRevision(Context*, const v1::GetRevisionRequest* request,
                                         v1::GetResponse* response) {
  return guarded([&] {
    return committer_.read([&](const config::Store& store) {
      return get_revision(store, request->revision(), response);
    });
  });
}

Status ConfigurationService::DiffRevisions(Context*, const v1::DiffRevisionsRequest* request,
                                           v1::Diff* response) {
  return guarded([&] {
    return committer_.read([&](const config::Store& store) {
      const uint64_t to = request->to() == 0 ? store.revision() : request->to();
      const uint64_t from = request->from() == 0 ? to - (to > 0 ? 1 : 0) : request->from();
      const auto before = store.configuration_at(from);
      const auto after = store.configuration_at(to);
      if (!before || !after) {
        return not_kept(before ? to : from, store);
      }
      config::Model model;
      config::Problems problems;
      model.apply(config::edit_to(model, *before, problems));
      const store::Edit edit = config::edit_to(model, *after, problems);
      *response = config::describe(edit, model.apply(edit));
      return Status::OK;
    });
  });
}

}  // namespace nezu::api
