// Bridges of network instances: each by itself, and all beside each other.
#include <algorithm>
#include <map>

#include "controlplane/config/names.h"
#include "controlplane/config/validate.h"

namespace nezu::config {
namespace {

constexpr size_t kLongestName = 15;

std::string bridge_path(const v1::NetworkInstance& instance, const v1::Bridge& bridge) {
  return instance_path(instance.name()) + ".bridges[\"" + bridge.name() + "\"]";
}

bool is_good_name(const std::string& name) {
  const auto is_good = [](unsigned char c) { return isalnum(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kLongestName &&
         std::all_of(name.begin(), name.end(), is_good);
}

/// Nothing, with a sentence, when it is no link.
std::optional<LinkName> link_of(const std::string& text, const std::string& path,
                                Problems& problems) {
  const auto link = parse_link(text);
  if (!link) {
    complain(problems, path, text,
             "A bridge needs two links; write \"front\" for the untagged frames of port front, or "
             "\"front.10\" for its VLAN 10, from 1 to 4094.");
  }
  return link;
}

/// Untagged frames are in the standard instance unless another one names them.
void check_place(const Model& model, const v1::NetworkInstance& instance, const std::string& text,
                 const std::string& path, Problems& problems) {
  const auto& links = instance.links();
  if (std::find(links.begin(), links.end(), text) != links.end()) {
    return;
  }
  const auto link = parse_link(text);
  if (!link) {
    return;
  }
  const bool is_implied =
      instance.number() == 0 && link->vlan == 0 && model.instances_with(text).empty();
  if (!is_implied) {
    complain(problems, path, text,
             "The link is not in network instance " + instance.name() +
                 ", so that the bridge would lead into another one; add it to the instance's "
                 "links, or choose one of them.");
  }
}

}  // namespace

void validate_bridges(const v1::NetworkInstance& instance, Problems& problems) {
  for (const v1::Bridge& bridge : instance.bridges()) {
    const std::string path = bridge_path(instance, bridge);
    if (!is_good_name(bridge.name())) {
      complain(problems, path + ".name", bridge.name(),
               "The name must be 1 to 15 letters, digits, '_' or '-'.");
    }
    const auto clients = link_of(bridge.clients(), path + ".clients", problems);
    const auto servers = link_of(bridge.servers(), path + ".servers", problems);
    if (clients && servers && clients->port == servers->port) {
      complain(problems, path + ".servers", bridge.servers(),
               "Both sides are at port " + servers->port +
                   "; a bridge connects two ports, one to the clients and one to the servers.");
    } else if (clients && servers && clients->vlan != servers->vlan) {
      complain(problems, path + ".servers", bridge.servers(),
               "Both sides must be in the same VLAN, or both untagged: frames pass as they came.");
    }
    check_range(bridge.priority(), 1, 255, "", path + ".priority", problems);
    check_range(bridge.hold_ms(), 500, 60'000, "ms", path + ".hold_ms", problems);
  }
}

void check_bridges(const Model& model, const store::Edit& edit, Problems& problems) {
  if (edit.instances().empty() && edit.removed_instances().empty()) {
    return;
  }
  std::map<std::string, std::string> names, links;
  size_t count = 0;
  for (const auto& [name, instance] : model.instances()) {
    for (const v1::Bridge& bridge : instance->bridges()) {
      const std::string path = bridge_path(*instance, bridge);
      ++count;
      if (!names.emplace(bridge.name(), name).second) {
        complain(problems, path + ".name", bridge.name(),
                 "Two bridges have this name; every one needs its own.");
      }
      for (const auto& [field, link] :
           {std::pair(".clients", bridge.clients()), std::pair(".servers", bridge.servers())}) {
        const auto [other, is_new] = links.emplace(link, bridge.name());
        if (!is_new) {
          complain(
              problems, path + field, link,
              "The link is in bridge " + other->second + " as well; a link has one other side.");
        }
        check_place(model, *instance, link, path + field, problems);
      }
    }
  }
  if (count > tables::kMaxBridges) {
    complain(problems, "instances", std::to_string(count),
             "There may be at most " + std::to_string(tables::kMaxBridges) + " bridges.");
  }
}

}  // namespace nezu::config
