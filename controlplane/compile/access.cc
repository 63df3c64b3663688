// Access lists -> the blocks that workers search.
#include <algorithm>

#include "controlplane/compile/compile.h"

namespace nezu::compile {
namespace {

std::vector<net::Prefix> prefixes_of(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::vector<net::Prefix> prefixes;
  prefixes.reserve(static_cast<size_t>(list.size()));
  for (const std::string& text : list) {
    if (const auto prefix = net::parse_prefix(text)) {
      prefixes.push_back(*prefix);
    }
  }
  return prefixes;
}

}  // namespace

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
