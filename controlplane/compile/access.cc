// Access lists -> the blocks that workers search.
#include <algorithm>

#include "controlplane/compile/compile.h"
#include "controlplane/compile/prefixes.h"

namespace nezu::compile {
std::vector<uint8_t> compile_access(const v1::AccessList& access) {
  return tables::build_access_list(
      {prefixes_of(access.allow()), prefixes_of(access.deny()), access.deny_others()});
}

std::vector<tables::InstanceAccessSpec> compile_instance_access(const config::Model& model) {
  std::vector<tables::InstanceAccessSpec> lists;
  const auto add = [&lists](uint32_t instance, const v1::AccessList& access) {
    std::vector<uint8_t> list = compile_access(access);
    if (!list.empty()) {
      lists.push_back({static_cast<net::Instance>(instance), std::move(list)});
    }
  };
  add(0, model.settings().access());
  for (const auto& [name, instance] : model.instances()) {
    if (instance->number() != 0) {
      add(instance->number(), instance->access());
    }
  }
  std::sort(lists.begin(), lists.end(),
            [](const auto& a, const auto& b) { return a.instance < b.instance; });
  return lists;
}

}  // namespace nezu::compile
