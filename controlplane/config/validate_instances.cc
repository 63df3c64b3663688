// Network instances: each by itself, and who is in which.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"

namespace nezu::config {
namespace {

constexpr size_t kLongestName = 15;  // of an interface
constexpr size_t kLongestPort = 12;  // its twin is an interface as well
constexpr size_t kMostLinks = 512;

bool is_good_name(const std::string& name) {
  const auto is_good = [](unsigned char c) { return isalnum(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kLongestName &&
         isalpha(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), is_good);
}

/// Of the kernel: 253 default, 254 main, 255 local.
bool is_good_number(uint32_t number) {
  return number >= 1 && number <= 65534 && !(number >= 253 && number <= 255);
}

void check_known(const Model& model, uint32_t number, const std::string& path, Problems& problems) {
  if (number == 0 || !model.instances_numbered(number).empty()) {
    return;
  }
  complain(problems, path + ".instance", std::to_string(number),
           "There is no network instance with this number, or would be none any more; add it to "
           "instances, or choose another (0 is the standard one).");
}

std::string instance_text(uint32_t number) {
  return number == 0 ? std::string("the standard network instance")
                     : "network instance " + std::to_string(number);
}

void complain_of_pool(const v1::VirtualService& service, uint32_t pool, Problems& problems) {
  complain(problems, service_path(service.name()) + ".pool", service.pool(),
           "The service is in " + instance_text(service.instance()) + ", but pool " +
               service.pool() + " is in " + instance_text(pool) +
               ", and no packet goes from one to another; use a pool of the service's instance.");
}

void complain_of_snats(const v1::VirtualService& service, uint32_t set, Problems& problems) {
  complain(problems, service_path(service.name()) + ".snat_set", service.snat_set(),
           "The service is in " + instance_text(service.instance()) + ", but SNAT set " +
               service.snat_set() + " is in " + instance_text(set) +
               "; use a set of the service's instance.");
}

/// Which network instances have something of a port: what a service's `interfaces` name.
class Ports {
 public:
  explicit Ports(const Model& model) : model_(model) {
    for (const auto& [name, instance] : model.instances()) {
      for (const std::string& link : instance->links()) {
        by_name_[link.substr(0, link.find('.'))].insert(instance->number());
      }
    }
  }
  /// A port without a VLAN stands for all of its frames. Empty: nobody's VLAN.
  std::set<uint32_t> instances_of(const std::string& interface) const {
    std::set<uint32_t> numbers;
    const bool is_port = interface.find('.') == std::string::npos;
    if (const auto port = by_name_.find(interface); is_port && port != by_name_.end()) {
      numbers = port->second;
    }
    const Names& owners = model_.instances_with(interface);
    for (const std::string& name : owners) {
      numbers.insert(model_.instances().find(name)->number());
    }
    if (is_port && owners.empty()) {
      numbers.insert(0);  // untagged frames that nobody names
    }
    return numbers;
  }

 private:
  const Model& model_;
  std::map<std::string, std::set<uint32_t>> by_name_;
};

/// Those of the edit, or all when links may have got other instances.
template <typename Visit>
void each_interface(const Model& model, const store::Edit& edit, Visit visit) {
  std::optional<Ports> ports;
  const auto visit_all = [&](const v1::VirtualService& service) {
    for (int i = 0; i < service.interfaces_size(); ++i) {
      if (!ports) {
        ports.emplace(model);
      }
      visit(service, i, ports->instances_of(service.interfaces(i)));
    }
  };
  if (!edit.instances().empty() || !edit.removed_instances().empty()) {
    for (const auto& [name, service] : model.services()) {
      visit_all(*service);
    }
  } else {
    std::for_each(edit.services().begin(), edit.services().end(), visit_all);
  }
}

std::string interface_path(const v1::VirtualService& service, int i) {
  return service_path(service.name()) + ".interfaces[" + std::to_string(i) + "]";
}

/// Clients come in by a link of the service's own instance, or never.
void check_interfaces_of(const Model& model, const store::Edit& edit, Problems& problems) {
  each_interface(model, edit,
                 [&](const v1::VirtualService& service, int i, const std::set<uint32_t>& numbers) {
                   if (numbers.empty() || numbers.contains(service.instance())) {
                     return;
                   }
                   complain(problems, interface_path(service, i), service.interfaces(i),
                            "The service is in " + instance_text(service.instance()) + ", but " +
                                service.interfaces(i) + " is in " +
                                instance_text(*numbers.begin()) +
                                ", so no client of the service comes in by it; name a link of the "
                                "service's instance, or leave it out.");
                 });
}

void check_service(const Model& model, const v1::VirtualService& service, Problems& problems) {
  const auto* pool = model.pools().find(service.pool());
  if (pool != nullptr && pool->instance() != service.instance()) {
    complain_of_pool(service, pool->instance(), problems);
  }
  const auto* set = model.snat_sets().find(service.snat_set());
  if (set != nullptr && set->instance() != service.instance()) {
    complain_of_snats(service, set->instance(), problems);
  }
}

/// Rules of source NAT, with all that they name, are in the standard instance.
void check_rules(const Model& model, const store::Edit& edit, Problems& problems) {
  const auto complain_of = [&](const std::string& rule, const char* field,
                               const std::string& name) {
    complain(problems, source_nat_path(rule) + field, name,
             "Source NAT works in the standard network instance only, and " + name +
                 " is in another one; name one of the standard instance.");
  };
  for (const v1::SourceNat& rule : edit.source_nats()) {
    const auto* set = model.snat_sets().find(rule.snat_set());
    if (set != nullptr && set->instance() != 0) {
      complain_of(rule.name(), ".snat_set", rule.snat_set());
    }
    for (const std::string& name : rule.pools()) {
      const auto* pool = model.pools().find(name);
      if (pool != nullptr && pool->instance() != 0) {
        complain_of(rule.name(), ".pools", name);
      }
    }
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    for (const std::string& rule : model.rules_of_snat_set(set.name())) {
      if (set.instance() != 0) {
        complain_of(rule, ".snat_set", set.name());
      }
    }
  }
  for (const v1::Pool& pool : edit.pools()) {
    for (const std::string& rule : model.rules_of_pool(pool.name())) {
      if (pool.instance() != 0) {
        complain_of(rule, ".pools", pool.name());
      }
    }
  }
}

/// Users of pools and sets that changed, but those of the edit.
void check_users(const Model& model, const store::Edit& edit, Problems& problems) {
  std::set<std::string> own;
  for (const v1::VirtualService& service : edit.services()) {
    own.insert(service.name());
  }
  for (const v1::Pool& pool : edit.pools()) {
    for (const auto& [number, names] : model.instances_of_pool(pool.name())) {
      if (number == pool.instance()) {
        continue;
      }
      for (const std::string& name : names) {
        if (!own.contains(name)) {
          complain_of_pool(*model.services().find(name), pool.instance(), problems);
        }
      }
    }
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    for (const std::string& name : model.users_of_snat_set(set.name())) {
      const v1::VirtualService& service = *model.services().find(name);
      if (service.instance() != set.instance() && !own.contains(name)) {
        complain_of_snats(service, set.instance(), problems);
      }
    }
  }
}

void check_instance(const Model& model, const v1::NetworkInstance& instance, Problems& problems) {
  const std::string path = instance_path(instance.name());
  const auto other_of = [&](const Names& names) {
    const auto other = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      return name != instance.name();
    });
    return other == names.end() ? std::string{} : *other;
  };
  if (const std::string other = other_of(model.instances_numbered(instance.number()));
      !other.empty()) {
    complain(problems, path + ".number", std::to_string(instance.number()),
             "Network instance " + other + " has the same number; every one needs its own.");
  }
  for (const std::string& link : instance.links()) {
    if (const std::string other = other_of(model.instances_with(link)); !other.empty()) {
      complain(problems, path + ".links", link,
               "The link is in network instance " + other + " as well; it can be in one only.");
    }
  }
}

/// Numbers must be those of instances: of what the edit puts in, and of everything when one of the
/// instances goes or gets another number.
void check_numbers(const Model& model, const store::Edit& edit, Problems& problems) {
  if (!edit.instances().empty() || !edit.removed_instances().empty()) {
    const auto check = [&](const auto& objects, auto path) {
      for (const auto& [name, object] : objects) {
        check_known(model, object->instance(), path(name), problems);
      }
    };
    check(model.services(), service_path);
    check(model.pools(), pool_path);
    check(model.snat_sets(), snat_set_path);
    return;
  }
  for (const v1::VirtualService& service : edit.services()) {
    check_known(model, service.instance(), service_path(service.name()), problems);
  }
  for (const v1::Pool& pool : edit.pools()) {
    check_known(model, pool.instance(), pool_path(pool.name()), problems);
  }
  for (const v1::SnatSet& set : edit.snat_sets()) {
    check_known(model, set.instance(), snat_set_path(set.name()), problems);
  }
}

}  // namespace

std::optional<LinkName> parse_link(const std::string& text) {
  LinkName link;
  const size_t dot = text.rfind('.');
  link.port = text.substr(0, dot);
  if (dot != std::string::npos) {
    const char* first = text.data() + dot + 1;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(first, last, link.vlan);
    if (error != std::errc{} || end != last || *first == '0' || link.vlan > 4094) {
      return std::nullopt;
    }
  }
  const bool fits = !link.port.empty() && link.port.size() <= kLongestPort &&
                    std::none_of(link.port.begin(), link.port.end(), [](unsigned char c) {
                      return c <= ' ' || c == 0x7f || c == '/' || c == '.' || c == ',';
                    });
  return fits ? std::optional(link) : std::nullopt;
}

void validate(const v1::NetworkInstance& instance, Problems& problems) {
  const std::string path = instance_path(instance.name());
  if (!is_good_name(instance.name())) {
    complain(problems, path + ".name", instance.name(),
             "The name must be a letter and up to 14 letters, digits, '_' or '-', as interfaces "
             "are named.");
  }
  if (instance.name() == "standard") {
    if (instance.number() != 0) {
      complain(problems, path + ".number", std::to_string(instance.number()),
               "The standard network instance has number 0; leave the number out.");
    }
  } else if (!is_good_number(instance.number())) {
    complain(problems, path + ".number", std::to_string(instance.number()),
             "The number must be 1 to 65534, but not 253, 254 or 255, which are tables of the "
             "kernel's own.");
  }
  check_length(instance.description(), kLongestDescription, path + ".description", problems);
  check_access(instance.access(), path + ".access", problems);
  if (instance.number() == 0 && instance.has_access()) {
    complain(problems, path + ".access", "",
             "The standard instance's access list stands in settings.access; move it there.");
  }
  std::set<std::string> seen;
  for (const std::string& link : instance.links()) {
    if (!parse_link(link)) {
      complain(problems, path + ".links", link,
               "This is no link; write \"front\" for the untagged frames of port front, or "
               "\"front.10\" for its VLAN 10, from 1 to 4094.");
    } else if (!seen.insert(link).second) {
      complain(problems, path + ".links", link, "The link is given twice; keep one.");
    }
  }
  if (static_cast<size_t>(instance.links_size()) > kMostLinks) {
    complain(problems, path + ".links", std::to_string(instance.links_size()),
             "An instance has at most 512 links.");
  }
  validate_bridges(instance, problems);
}

void check_instances(const Model& model, const store::Edit& edit, Problems& problems) {
  for (const v1::VirtualService& service : edit.services()) {
    check_service(model, service, problems);
  }
  check_users(model, edit, problems);
  check_interfaces_of(model, edit, problems);
  check_rules(model, edit, problems);
  for (const v1::NetworkInstance& instance : edit.instances()) {
    check_instance(model, instance, problems);
  }
  check_numbers(model, edit, problems);
  check_bridges(model, edit, problems);
}

void warn_interfaces(const Model& model, const store::Edit& edit, Problems& warnings) {
  size_t count = 0;
  each_interface(model, edit,
                 [&](const v1::VirtualService& service, int i, const std::set<uint32_t>& numbers) {
                   if (!numbers.empty() || ++count > kMostWarnings) {
                     return;
                   }
                   complain(warnings, interface_path(service, i), service.interfaces(i),
                            "No network instance has this VLAN among its links, so nobody comes in "
                            "by it; add it to that of the service.");
                 });
}

}  // namespace nezu::config
