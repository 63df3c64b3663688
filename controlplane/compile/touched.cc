#include "controlplane/compile/touched.h"

#include "controlplane/compile/compile.h"
#include "controlplane/config/normalise.h"

namespace nezu::compile {

void Touched::add_change(const config::Model& after, const store::Edit& edit,
                         const store::Edit& undo) {
  instance_access =
      instance_access || !config::equal(edit.settings().access(), undo.settings().access());
  for (const store::Edit* side : {&edit, &undo}) {
    for (const v1::VirtualService& service : side->services()) {
      add(service);
    }
    for (const v1::Pool& pool : side->pools()) {
      add(pool);
      add_pingers(after, pool.name());
      matches = matches || !after.rules_of_pool(pool.name()).empty();
    }
    for (const v1::SnatSet& set : side->snat_sets()) {
      add(set);
      const config::Names& users = after.users_of_snat_set(set.name());
      services.insert(users.begin(), users.end());
      const config::Names& their_rules = after.rules_of_snat_set(set.name());
      rules.insert(their_rules.begin(), their_rules.end());
    }
    for (const v1::SourceNat& rule : side->source_nats()) {
      add(rule);
    }
    for (const v1::NetworkInstance& instance : side->instances()) {
      memberships = true;
      instance_access = instance_access || instance.has_access();
      // Health checks go by the instance's name.
      for (const auto& [name, pool] : after.pools()) {
        if (pool->instance() == instance.number() && instance.number() != 0) {
          pools.insert(name);
        }
      }
    }
  }
}

void Touched::add_verdict(const config::Model& model, const tables::ServerIdentity& server) {
  servers.insert(server);
  for (const std::string& pool : model.pools_of(server)) {
    pools.insert(pool);
    add_pingers(model, pool);
  }
}

void Touched::add_share(const config::Model& model, const std::string& pool,
                        const tables::ServerIdentity& server) {
  if (model.pools_of(server).contains(pool)) {
    servers.insert(server);  // it looks the same, but whoever watches it is told
    pools.insert(pool);
    add_pingers(model, pool);
  }
}

void Touched::add_everything(const config::Model& model) {
  everything = true;
  memberships = instance_access = true;
  for (const auto& [name, service] : model.services()) {
    add(*service);
  }
  for (const auto& [name, pool] : model.pools()) {
    add(*pool);
  }
  for (const auto& [name, set] : model.snat_sets()) {
    add(*set);
  }
  for (const auto& [name, rule] : model.source_nats()) {
    add(*rule);
  }
  matches = true;
}

void Touched::add(const v1::VirtualService& service) {
  services.insert(service.name());
  addresses.insert(vip_of(service));
}

void Touched::add(const v1::Pool& pool) {
  pools.insert(pool.name());
  for (const v1::RealServer& server : pool.servers()) {
    servers.insert(identity_of(server, pool));
  }
}

void Touched::add(const v1::SnatSet& set) {
  const SnatSetImage image = compile_snat_set(set);
  for (const net::Address& address : image.addresses) {
    addresses.insert({image.instance, address});
  }
}

void Touched::add(const v1::SourceNat& rule) {
  rules.insert(rule.name());
  matches = true;
}

void Touched::add_pingers(const config::Model& model, const std::string& pool) {
  for (const std::string& name : model.pingers_of_pool(pool)) {
    addresses.insert(vip_of(*model.services().find(name)));
  }
}

}  // namespace nezu::compile
