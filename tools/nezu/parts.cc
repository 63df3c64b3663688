#include "tools/nezu/parts.h"

namespace nezu::cli {
namespace {

class Parts {
 public:
  explicit Parts(size_t bytes) : most_(bytes) { parts_.emplace_back(); }

  template <typename Object, typename List>
  void add(google::protobuf::RepeatedPtrField<Object>& objects, List list_of) {
    for (Object& object : objects) {
      const size_t size = object.ByteSizeLong();
      if (size_ > 0 && size_ + size > most_) {
        parts_.emplace_back();
        size_ = 0;
      }
      size_ += size;
      *list_of(*parts_.back().mutable_part())->Add() = std::move(object);
    }
  }
  std::vector<v1::ApplyStreamRequest>& all() { return parts_; }

 private:
  const size_t most_;
  size_t size_ = 0;
  std::vector<v1::ApplyStreamRequest> parts_;
};

}  // namespace

std::vector<v1::ApplyStreamRequest> parts_of(v1::Configuration configuration,
                                             const v1::ChangeOptions& options, size_t bytes) {
  Parts parts(bytes);
  *parts.all().front().mutable_options() = options;
  if (configuration.has_settings()) {
    *parts.all().front().mutable_part()->mutable_settings() = configuration.settings();
  }
  parts.add(*configuration.mutable_services(), [](auto& part) { return part.mutable_services(); });
  parts.add(*configuration.mutable_pools(), [](auto& part) { return part.mutable_pools(); });
  parts.add(*configuration.mutable_snat_sets(),
            [](auto& part) { return part.mutable_snat_sets(); });
  parts.add(*configuration.mutable_source_nats(),
            [](auto& part) { return part.mutable_source_nats(); });
  parts.add(*configuration.mutable_instances(),
            [](auto& part) { return part.mutable_instances(); });
  return std::move(parts.all());
}

}  // namespace nezu::cli
