// What is wrong with lists of networks and of interfaces.
#include <algorithm>

#include "controlplane/config/validate.h"

namespace nezu::config {

namespace {

constexpr int kMostInterfaces = 64;

void check_count(const Texts& list, int most, const std::string& path, Problems& problems) {
  if (list.size() > most) {
    complain(problems, path, std::to_string(list.size()),
             "The list has more than " + std::to_string(most) + " entries; shorten it.");
  }
}

}  // namespace

void check_networks(const Texts& list, int most, const std::string& path, Problems& problems) {
  check_count(list, most, path, problems);
  for (int i = 0; i < list.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    const auto prefix = net::parse_prefix(list[i]);
    if (!prefix) {
      complain(problems, at, list[i],
               "This is no network; write it as 10.0.1.0/24, 2001:db8:1::/64 or one address.");
    } else if (prefix->length != 0 &&
               (prefix->address.is_multicast() || prefix->address.is_link_local() ||
                prefix->address.is_loopback())) {
      complain(problems, at, list[i],
               "No packet of such a network is routed; use unicast addresses.");
    }
  }
}

void check_interfaces(const Texts& list, const std::string& path, Problems& problems) {
  check_count(list, kMostInterfaces, path, problems);
  for (int i = 0; i < list.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    const std::string& text = list[i];
    const size_t dot = text.find('.');
    const std::string port = text.substr(0, dot);
    const auto is_good = [](unsigned char c) { return isalnum(c) || c == '-' || c == '_'; };
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_good)) {
      complain(problems, at, text,
               "This is no port; write its name as the data plane's --port has it, or with a VLAN "
               "as back.100.");
    } else if (dot != std::string::npos) {
      const std::string vlan = text.substr(dot + 1);
      const bool is_number = !vlan.empty() && vlan.size() <= 4 && vlan[0] != '0' &&
                             std::all_of(vlan.begin(), vlan.end(), ::isdigit);
      if (!is_number || std::stoi(vlan) > 4094) {
        complain(problems, at, text,
                 "Behind the dot stands a VLAN from 1 to 4094, as in back.100.");
      }
    }
  }
}

}  // namespace nezu::config
