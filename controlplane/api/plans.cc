#include "controlplane/api/plans.h"

#include <type_traits>

#include "controlplane/config/diff.h"
#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/update.h"
#include "controlplane/config/validate.h"

namespace nezu::api {
Plan fault(Fault what, std::string text) {
  Plan plan;
  plan.fault = what;
  plan.text = std::move(text);
  return plan;
}

Plan fault(const std::string& field, const std::string& value, const std::string& text) {
  Plan plan;
  config::complain(plan.problems, field, value, text);
  return plan;
}

namespace {

// What differs between the kinds of named objects.
const auto& table_of(const config::Model& model, const v1::VirtualService*) {
  return model.services();
}
const auto& table_of(const config::Model& model, const v1::Pool*) { return model.pools(); }
const auto& table_of(const config::Model& model, const v1::SnatSet*) { return model.snat_sets(); }
const auto& table_of(const config::Model& model, const v1::SourceNat*) {
  return model.source_nats();
}
const auto& table_of(const config::Model& model, const v1::NetworkInstance*) {
  return model.instances();
}
v1::VirtualService& add_to(store::Edit& edit, const v1::VirtualService*) {
  return *edit.add_services();
}
v1::Pool& add_to(store::Edit& edit, const v1::Pool*) { return *edit.add_pools(); }
v1::SnatSet& add_to(store::Edit& edit, const v1::SnatSet*) { return *edit.add_snat_sets(); }
v1::SourceNat& add_to(store::Edit& edit, const v1::SourceNat*) { return *edit.add_source_nats(); }
const char* word_for(const v1::SourceNat*) { return "source NAT rule"; }
v1::NetworkInstance& add_to(store::Edit& edit, const v1::NetworkInstance*) {
  return *edit.add_instances();
}
const char* word_for(const v1::VirtualService*) { return "service"; }
const char* word_for(const v1::Pool*) { return "pool"; }
const char* word_for(const v1::SnatSet*) { return "SNAT set"; }
const char* word_for(const v1::NetworkInstance*) { return "network instance"; }

template <typename T>
Planner create(T object) {
  return [object = std::move(object)](const config::Store& store) {
    const T* kind = nullptr;
    if (table_of(store.model(), kind).find(object.name()) != nullptr) {
      return fault(Fault::exists, std::string("There is a ") + word_for(kind) + " " +
                                      object.name() + " already; update it or choose another " +
                                      "name.");
    }
    Plan plan;
    add_to(plan.edit, kind) = object;
    return plan;
  };
}

template <typename T>
Planner change(T object, google::protobuf::FieldMask mask) {
  return [object = std::move(object), mask = std::move(mask)](const config::Store& store) {
    const T* kind = nullptr;
    const T* before = table_of(store.model(), kind).find(object.name());
    if (before == nullptr) {
      return fault(Fault::not_found, missing(word_for(kind), object.name()));
    }
    Plan plan;
    T after = *before;
    plan.problems = config::update(after, object, mask);
    after.set_name(object.name());
    add_to(plan.edit, kind) = std::move(after);
    return plan;
  };
}

std::string users_text(const config::Names& users) {
  return users.size() == 1
             ? "service " + *users.begin()
             : std::to_string(users.size()) + " services, the first " + *users.begin();
}

Plan no_server(const std::string& pool, const v1::ServerIdentity& server) {
  const auto identity = config::identity_of(server);
  return fault(Fault::not_found, "There is no server " +
                                     (identity ? config::to_text(*identity) : server.address()) +
                                     (pool.empty() ? " in any pool" : " in pool " + pool) +
                                     "; list the servers to see their addresses and ports.");
}

Plan bad_server(const v1::ServerIdentity& server) {
  return fault("server.address", server.address(),
               "This is no IPv4 or IPv6 address; name the server as the pool does.");
}

/// Names of the pools that a request about one server means.
config::Names pools_with(const config::Model& model, const v1::ServerIdentity& server) {
  v1::RealServer wanted;
  const auto identity = config::identity_of(server);
  wanted.set_instance(server.instance());
  wanted.set_address(identity ? net::to_string(identity->address) : server.address());
  wanted.set_port(server.port());
  wanted.set_protocol(server.protocol());
  if (server.protocol() != v1::PROTOCOL_UNSPECIFIED) {
    return model.pools_of(wanted);
  }
  for (const v1::Protocol each : config::kProtocols) {
    wanted.set_protocol(each);
    if (const config::Names& found = model.pools_of(wanted); !found.empty()) {
      return found;
    }
  }
  return {};
}

v1::ServerIdentity identity_in(const v1::RealServer& server) {
  v1::ServerIdentity identity;
  identity.set_instance(server.instance());
  identity.set_address(server.address());
  identity.set_port(server.port());
  identity.set_protocol(server.protocol());
  return identity;
}

/// Applies `touch` to a server in each of the pools.
template <typename Touch>
Plan touch_server(const config::Model& model, const config::Names& pools,
                  const v1::ServerIdentity& server, Touch touch) {
  Plan plan;
  for (const std::string& name : pools) {
    const v1::Pool* before = model.pools().find(name);
    const int at = before == nullptr ? -1 : find_server(*before, server);
    if (at < 0) {
      return no_server(name, server);
    }
    v1::Pool& pool = *plan.edit.add_pools();
    pool = *before;
    touch(*pool.mutable_servers(at), plan);
  }
  return plan;
}

}  // namespace

std::string missing(const std::string& what, const std::string& name) {
  return "There is no " + what + " \"" + name.substr(0, 100) + "\"; list them to see the names.";
}

int find_server(const v1::Pool& pool, const v1::ServerIdentity& server) {
  auto wanted = config::identity_of(server, pool.protocol());
  if (wanted && server.instance() == 0) {
    wanted->instance = static_cast<net::Instance>(pool.instance());
  }
  return wanted ? config::find_server(pool, *wanted) : -1;
}

Planner plan_whole(v1::Configuration wanted) {
  config::normalise(wanted);  // by the caller's thread: it takes time and needs no turn
  return [wanted = std::move(wanted)](const config::Store& store) {
    Plan plan;
    plan.edit = config::edit_to(store.model(), wanted, plan.problems);
    return plan;
  };
}

Planner plan_rollback(uint64_t revision) {
  return [revision](const config::Store& store) {
    const uint64_t wanted =
        revision != 0 ? revision : store.revision() - (store.revision() > 0 ? 1 : 0);
    const auto configuration = store.configuration_at(wanted);
    if (!configuration) {
      return fault(Fault::not_found, "Revision " + std::to_string(wanted) +
                                         " is not kept; the revisions from " +
                                         std::to_string(store.oldest_kept()) + " to " +
                                         std::to_string(store.revision()) + " are.");
    }
    return plan_whole(*configuration)(store);
  };
}

Planner plan_create(v1::VirtualService service) { return create(std::move(service)); }
Planner plan_create(v1::Pool pool) { return create(std::move(pool)); }
Planner plan_create(v1::SnatSet set) { return create(std::move(set)); }
Planner plan_create(v1::SourceNat rule) { return create(std::move(rule)); }
Planner plan_update(v1::SourceNat rule, google::protobuf::FieldMask mask) {
  return change(std::move(rule), std::move(mask));
}
Planner plan_update(v1::VirtualService service, google::protobuf::FieldMask mask) {
  return change(std::move(service), std::move(mask));
}
Planner plan_update(v1::Pool pool, google::protobuf::FieldMask mask) {
  return change(std::move(pool), std::move(mask));
}
Planner plan_update(v1::SnatSet set, google::protobuf::FieldMask mask) {
  return change(std::move(set), std::move(mask));
}

Planner plan_delete_service(std::string name) {
  return [name = std::move(name)](const config::Store& store) {
    if (store.model().services().find(name) == nullptr) {
      return fault(Fault::not_found, missing("service", name));
    }
    Plan plan;
    plan.edit.add_removed_services(name);
    return plan;
  };
}

Planner plan_delete_pool(std::string name) {
  return [name = std::move(name)](const config::Store& store) {
    if (store.model().pools().find(name) == nullptr) {
      return fault(Fault::not_found, missing("pool", name));
    }
    if (const config::Names& users = store.model().users_of_pool(name); !users.empty()) {
      return fault(Fault::in_use, "Pool " + name + " is used by " + users_text(users) +
                                      "; remove the service or give it another pool first.");
    }
    if (const config::Names& rules = store.model().rules_of_pool(name); !rules.empty()) {
      return fault(Fault::in_use, "Pool " + name + " is named by source NAT rule " +
                                      config::list_of(rules) +
                                      "; take it out there or remove the rule first.");
    }
    Plan plan;
    plan.edit.add_removed_pools(name);
    return plan;
  };
}

Planner plan_delete_snat_set(std::string name) {
  return [name = std::move(name)](const config::Store& store) {
    if (store.model().snat_sets().find(name) == nullptr) {
      return fault(Fault::not_found, missing("SNAT set", name));
    }
    if (const config::Names& users = store.model().users_of_snat_set(name); !users.empty()) {
      return fault(Fault::in_use, "SNAT set " + name + " is used by " + users_text(users) +
                                      "; remove the service or give it another set first.");
    }
    if (const config::Names& rules = store.model().rules_of_snat_set(name); !rules.empty()) {
      return fault(Fault::in_use, "SNAT set " + name + " is used by source NAT rule " +
                                      config::list_of(rules) +
                                      "; remove the rule or give it another set first.");
    }
    Plan plan;
    plan.edit.add_removed_snat_sets(name);
    return plan;
  };
}

Planner plan_delete_source_nat(std::string name) {
  return [name = std::move(name)](const config::Store& store) {
    if (store.model().source_nats().find(name) == nullptr) {
      return fault(Fault::not_found, missing("source NAT rule", name));
    }
    Plan plan;
    plan.edit.add_removed_source_nats(name);
    return plan;
  };
}

Planner plan_create(v1::NetworkInstance instance) { return create(std::move(instance)); }
Planner plan_update(v1::NetworkInstance instance, google::protobuf::FieldMask mask) {
  return change(std::move(instance), std::move(mask));
}

Planner plan_create_server(std::string pool, v1::RealServer server) {
  return [pool = std::move(pool), server = std::move(server)](const config::Store& store) {
    const v1::Pool* before = store.model().pools().find(pool);
    if (before == nullptr) {
      return fault(Fault::not_found, missing("pool", pool));
    }
    if (find_server(*before, identity_in(server)) >= 0) {
      return fault(Fault::exists, "Pool " + pool + " has server " + server.address() + ":" +
                                      std::to_string(server.port()) + " already; update it.");
    }
    Plan plan;
    v1::Pool& after = *plan.edit.add_pools();
    after = *before;
    *after.add_servers() = server;
    return plan;
  };
}

Planner plan_update_server(std::string pool, v1::RealServer server,
                           google::protobuf::FieldMask mask) {
  return [=](const config::Store& store) {
    if (store.model().pools().find(pool) == nullptr) {
      return fault(Fault::not_found, missing("pool", pool));
    }
    const v1::ServerIdentity identity = identity_in(server);
    return touch_server(store.model(), {pool}, identity, [&](v1::RealServer& target, Plan& plan) {
      const v1::RealServer before = target;
      plan.problems = config::update(target, server, mask);
      // The identity says which server it is; it is never changed.
      target.set_instance(before.instance());
      target.set_address(before.address());
      target.set_port(before.port());
      target.set_protocol(before.protocol());
    });
  };
}

Planner plan_delete_server(std::string pool, v1::ServerIdentity server) {
  return [pool = std::move(pool), server = std::move(server)](const config::Store& store) {
    const v1::Pool* before = store.model().pools().find(pool);
    if (before == nullptr) {
      return fault(Fault::not_found, missing("pool", pool));
    }
    const int at = find_server(*before, server);
    if (at < 0) {
      return no_server(pool, server);
    }
    Plan plan;
    v1::Pool& after = *plan.edit.add_pools();
    after = *before;
    after.mutable_servers()->DeleteSubrange(at, 1);
    return plan;
  };
}

Planner plan_weight(v1::SetServerWeightRequest request) {
  return [request = std::move(request)](const config::Store& store) {
    if (!config::identity_of(request.server())) {
      return bad_server(request.server());
    }
    if (!request.has_weight()) {
      return fault("weight", "",
                   "The weight is missing; say 0 to 65535, where 0 takes no new flow.");
    }
    const config::Names pools = request.pool().empty() ? pools_with(store.model(), request.server())
                                                       : config::Names{request.pool()};
    if (pools.empty()) {
      return no_server("", request.server());
    }
    if (!request.pool().empty() && store.model().pools().find(request.pool()) == nullptr) {
      return fault(Fault::not_found, missing("pool", request.pool()));
    }
    return touch_server(store.model(), pools, request.server(), [&](v1::RealServer& server, Plan&) {
      server.set_weight(request.weight());
    });
  };
}

Planner plan_state(v1::SetServerStateRequest request) {
  return [request = std::move(request)](const config::Store& store) {
    if (!config::identity_of(request.server())) {
      return bad_server(request.server());
    }
    if (request.state() == v1::ADMIN_STATE_UNSPECIFIED) {
      return fault("state", "", "The state is missing; say ready, drain or disabled.");
    }
    if (request.drain_timeout_s() != 0 && request.state() != v1::ADMIN_STATE_DRAIN) {
      return fault(
          "drain_timeout_s", std::to_string(request.drain_timeout_s()),
          "Only a draining server has a deadline; set the state to drain or leave it out.");
    }
    const config::Names pools = pools_with(store.model(), request.server());
    if (pools.empty()) {
      return no_server("", request.server());
    }
    // One time for all pools: a server's state is the same everywhere.
    google::protobuf::Timestamp deadline;
    deadline.set_seconds(::time(nullptr) + request.drain_timeout_s());
    return touch_server(store.model(), pools, request.server(), [&](v1::RealServer& server, Plan&) {
      server.set_state(request.state());
      server.clear_drain_deadline();
      if (request.drain_timeout_s() != 0) {
        *server.mutable_drain_deadline() = deadline;
      }
    });
  };
}

}  // namespace nezu::api
