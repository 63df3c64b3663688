// Source NAT rules: each by itself, and its links to pools and SNAT sets.
#include <algorithm>
#include <set>

#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"
#include "dataplane/net/address.h"

namespace nezu::config {
namespace {

void check_instance(uint32_t instance, const std::string& path, Problems& problems) {
  if (instance != 0) {
    complain(problems, path + ".instance", std::to_string(instance),
             "Source NAT works in the standard network instance only; leave the field out.");
  }
}

constexpr int kMostNetworks = 1024;
constexpr int kMostExcepts = 64;

struct Families {
  bool has_v4 = false, has_v6 = false;
};

/// Of the hosts that the rule names.
Families families_of(const Model& model, const v1::SourceNat& rule) {
  Families families;
  const auto add = [&families](const net::Address& address) {
    (address.is_v4() ? families.has_v4 : families.has_v6) = true;
  };
  for (const std::string& network : rule.networks()) {
    if (const auto prefix = net::parse_prefix(network)) {
      add(prefix->address);
    }
  }
  for (const std::string& name : rule.pools()) {
    const v1::Pool* pool = model.pools().find(name);
    for (int i = 0; pool != nullptr && i < pool->servers_size(); ++i) {
      if (const auto address = net::parse_address(pool->servers(i).address())) {
        add(*address);
      }
    }
  }
  return families;
}

bool names_hosts(const v1::SourceNat& rule) {
  return !rule.networks().empty() || !rule.pools().empty();
}

void check_links(const Model& model, const v1::SourceNat& rule, Problems& problems) {
  const std::string path = source_nat_path(rule.name());
  for (const std::string& pool : rule.pools()) {
    if (model.pools().find(pool) == nullptr) {
      complain(problems, path + ".pools", pool,
               "There is no such pool; create it or name another.");
    }
  }
  if (rule.snat_set().empty()) {
    return;  // said already
  }
  const v1::SnatSet* set = model.snat_sets().find(rule.snat_set());
  if (set == nullptr) {
    complain(problems, path + ".snat_set", rule.snat_set(),
             "There is no such SNAT set; create it or name another.");
    return;
  }
  const Families needed = families_of(model, rule);
  for (const bool is_v4 : {true, false}) {
    if ((is_v4 ? needed.has_v4 : needed.has_v6) && !has_family(*set, is_v4)) {
      complain(problems, path + ".snat_set", set->name(),
               std::string("SNAT set ") + set->name() + " has no " + family_text(is_v4) +
                   " address, which inside hosts of the rule need; add one, or leave those hosts "
                   "out.");
    }
  }
}

void check_application(const v1::SourceNat& rule, const std::string& path, Problems& problems) {
  if (rule.application() > v1::APPLICATION_FTP) {
    complain(problems, path, word_of(rule.application()),
             "Outwards only FTP has connections that come in; use ftp, or leave it out.");
  }
}

}  // namespace

void validate(const v1::SourceNat& rule, Problems& problems) {
  const std::string path = source_nat_path(rule.name());
  check_name(rule.name(), path, problems);
  check_instance(rule.instance(), path, problems);
  check_networks(rule.networks(), kMostNetworks, path + ".networks", problems);
  check_networks(rule.except(), kMostExcepts, path + ".except", problems);
  check_interfaces(rule.interfaces(), path + ".interfaces", problems);
  check_interfaces(rule.outside_interfaces(), path + ".outside_interfaces", problems);
  check_range(rule.order(), 1, 65535, "", path + ".order", problems);
  check_timeouts(rule.timeouts(), path + ".timeouts", problems);
  check_length(rule.description(), kLongestDescription, path + ".description", problems);
  if (!names_hosts(rule) && rule.interfaces().empty()) {
    complain(problems, path + ".networks", "",
             "The rule says of nobody that he is inside; name a network, a pool or an interface.");
  }
  if (rule.snat_set().empty()) {
    complain(problems, path + ".snat_set", "",
             "The rule has no source addresses; name an SNAT set.");
  }
  check_application(rule, path + ".application", problems);
  if (rule.max_segment_size() != 0) {
    check_range(rule.max_segment_size(), 88, 65495, "bytes", path + ".max_segment_size", problems);
  }
}

void check_source_nats(const Model& model, const store::Edit& edit, Problems& problems) {
  Names checked;
  const auto check = [&](const std::string& name) {
    const v1::SourceNat* rule = model.source_nats().find(name);
    if (rule != nullptr && checked.insert(name).second) {
      check_links(model, *rule, problems);
    }
  };
  for (const v1::SourceNat& rule : edit.source_nats()) {
    check(rule.name());
  }
  for (const v1::Pool& pool : edit.pools()) {
    const Names& rules = model.rules_of_pool(pool.name());
    std::for_each(rules.begin(), rules.end(), check);
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    const Names& rules = model.rules_of_snat_set(set.name());
    std::for_each(rules.begin(), rules.end(), check);
  }
  for (const std::string& name : edit.removed_pools()) {
    if (const Names& rules = model.rules_of_pool(name); !rules.empty()) {
      complain(problems, pool_path(name), name,
               "Source NAT rule " + list_of(rules) +
                   " names the pool; take it out there or remove the rule first.");
    }
  }
  for (const std::string& name : edit.removed_snat_sets()) {
    if (const Names& rules = model.rules_of_snat_set(name); !rules.empty()) {
      complain(problems, snat_set_path(name), name,
               "Source NAT rule " + list_of(rules) +
                   " uses the SNAT set; remove the rule or give it another set first.");
    }
  }
}

void warn_source_nats(const Model& model, const store::Edit& edit, Problems& warnings) {
  for (const v1::SourceNat& rule : edit.source_nats()) {
    const v1::SnatSet* set = model.snat_sets().find(rule.snat_set());
    for (const bool is_v4 : {true, false}) {
      if (set != nullptr && !names_hosts(rule) && !has_family(*set, is_v4)) {
        complain(warnings, source_nat_path(rule.name()) + ".snat_set", set->name(),
                 std::string("SNAT set ") + set->name() + " has no " + family_text(is_v4) +
                     " address: " + family_text(is_v4) + " connections from these interfaces are " +
                     "refused (snat_missing). If they shall pass as they are, name " +
                     (is_v4 ? "::/0" : "0.0.0.0/0") + " as the rule's network.");
      }
    }
  }
}

}  // namespace nezu::config
