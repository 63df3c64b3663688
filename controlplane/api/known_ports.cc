#include "controlplane/api/known_ports.h"

#include <algorithm>

#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

/// Calls `visit` with the path of each list and the list.
template <typename Visit>
void each_list(const store::Edit& edit, Visit visit) {
  for (const v1::VirtualService& service : edit.services()) {
    visit(config::service_path(service.name()) + ".interfaces", service.interfaces());
  }
  for (const v1::SourceNat& rule : edit.source_nats()) {
    const std::string path = config::source_nat_path(rule.name());
    visit(path + ".interfaces", rule.interfaces());
    visit(path + ".outside_interfaces", rule.outside_interfaces());
  }
}

}  // namespace

bool names_interfaces(const store::Edit& edit) {
  bool found = false;
  each_list(edit, [&](const std::string&, const config::Texts& list) { found |= !list.empty(); });
  return found;
}

void warn_unknown_ports(const store::Edit& edit, const std::vector<publish::PortReading>& ports,
                        config::Problems& warnings) {
  if (ports.empty()) {
    return;
  }
  config::Names names;
  for (const publish::PortReading& port : ports) {
    names.insert(port.name);
  }
  size_t count = 0;
  each_list(edit, [&](const std::string& path, const config::Texts& list) {
    for (int i = 0; i < list.size(); ++i) {
      if (!names.contains(list[i].substr(0, list[i].find('.'))) &&
          ++count <= config::kMostWarnings) {
        config::complain(warnings, path + "[" + std::to_string(i) + "]", list[i],
                         "The running data plane has no such port, so nothing comes in by it; it "
                         "has " +
                             config::list_of(names) + ".");
      }
    }
  });
}

}  // namespace nezu::api
