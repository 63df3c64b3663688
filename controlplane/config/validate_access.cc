// What is wrong with an access list.
#include <map>

#include "controlplane/config/validate.h"
#include "dataplane/net/range.h"

namespace nezu::config {
namespace {

constexpr int kMostEntries = 100'000;
/// Of a list that is wrong altogether: nobody reads more.
constexpr size_t kMostComplaints = 20;

using Seen = std::map<net::Prefix, std::string>;  // what it stands at

void check_list(const google::protobuf::RepeatedPtrField<std::string>& list,
                const std::string& path, Seen& seen, Problems& problems) {
  const size_t before = problems.size();
  for (int i = 0; i < list.size() && problems.size() < before + kMostComplaints; ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    const auto prefix = net::parse_prefix(list[i]);
    if (!prefix) {
      complain(problems, at, list[i],
               "This is no prefix; write 192.0.2.0/24, 2001:db8::/32 or an address alone.");
      continue;
    }
    const auto [known, is_new] = seen.emplace(*prefix, at);
    if (!is_new) {
      complain(problems, at, list[i],
               "It is denied and allowed (" + known->second + "); keep one.");
    }
  }
}

}  // namespace

void check_access(const v1::AccessList& access, const std::string& path, Problems& problems) {
  const int count = access.allow_size() + access.deny_size();
  if (count > kMostEntries) {
    complain(problems, path, std::to_string(count),
             "An access list has at most 100000 entries; merge prefixes that lie side by side.");
    return;
  }
  Seen seen;
  check_list(access.allow(), path + ".allow", seen, problems);
  check_list(access.deny(), path + ".deny", seen, problems);
  if (access.deny_others() && access.allow().empty()) {
    complain(problems, path + ".allow", "",
             "Nobody is allowed; give a prefix, or switch the service off (enabled: false).");
  }
}

}  // namespace nezu::config
