// The tables of a replay: a configuration, checked and published as the control plane does it, into
// memory of this process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/config/model.h"
#include "controlplane/config/yaml.h"
#include "controlplane/publish/region_publisher.h"

namespace nezu::cli {

class ReplayTables {
 public:
  /// `failed`: servers as "10.0.1.5:80", which count as failed; all others are healthy. Throws a
  /// Failure that names every problem.
  ReplayTables(v1::Configuration wanted, const std::vector<std::string>& failed);

  const config::Model& model() const { return model_; }
  const tables::Region& region() const { return *region_; }
  tables::View view() const {
    return {region_->base(), region_->root(), region_->header().hash_seed};
  }
  publish::Reading read() const { return publisher_->read(); }

 private:
  void check(const store::Edit& edit, config::Problems problems);
  compile::Verdicts verdicts_of(const std::vector<std::string>& failed) const;

  config::Model model_;
  const tables::Region* region_ = nullptr;
  std::unique_ptr<publish::RegionPublisher> publisher_;
};

}  // namespace nezu::cli
