#include "tools/nezu/replay_tables.h"

#include "controlplane/config/diff.h"
#include "controlplane/config/names.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"
#include "tools/nezu/failure.h"
#include "tools/nezu/file.h"
#include "tools/nezu/text.h"

namespace nezu::cli {
namespace {

constexpr uint64_t kHashSeed = 0x6e657a75;  ///< the same at each replay
constexpr uint32_t kLeastSlots = 256;

/// Room for the configuration; pages that nothing is written to cost nothing.
tables::Sizes sizes_for(const config::Model& model) {
  size_t servers = 0;
  for (const auto& [name, pool] : model.pools()) {
    servers += static_cast<size_t>(pool->servers_size());
  }
  size_t snats = 0;
  for (const auto& [name, set] : model.snat_sets()) {
    snats += config::kMostSnatAddresses * static_cast<size_t>(set->addresses_size());
  }
  const auto slots = [](size_t wanted) {
    return static_cast<uint32_t>(std::min<size_t>(wanted + kLeastSlots, 65'000));
  };
  tables::Sizes sizes;
  sizes.services = slots(model.services().size() + model.source_nats().size());
  sizes.pools = slots(model.pools().size());
  sizes.servers = slots(servers);
  sizes.addresses = slots(model.services().size() + std::min<size_t>(snats, 16'384));
  sizes.workers = 1;
  sizes.heap_bytes = 1ull << 30;
  return sizes;
}

}  // namespace

ReplayTables::ReplayTables(v1::Configuration wanted, const std::vector<std::string>& failed) {
  config::normalise(wanted);
  config::Problems problems;
  const store::Edit edit = config::edit_to(model_, wanted, problems);
  model_.apply(edit);
  check(edit, std::move(problems));
  auto opened = tables::Region::in_memory(sizes_for(model_));
  if (!opened.region) throw Failure(Exit::internal, opened.error);
  opened.region->header().hash_seed = kHashSeed;
  region_ = opened.region.get();
  publisher_ = std::make_unique<publish::RegionPublisher>(std::move(opened.region), "", true);
  compile::Touched touched;
  touched.add_everything(model_);
  const publish::Result result = publisher_->publish(model_, touched, {verdicts_of(failed), {}}, 1);
  const bool filled = result.outcome == publish::Outcome::published ||
                      result.outcome == publish::Outcome::unchanged;
  if (!filled) throw Failure(Exit::internal, result.error);
}

void ReplayTables::check(const store::Edit& edit, config::Problems problems) {
  for (const config::Problems& more :
       {config::problems_within(edit), config::problems_between(model_, edit)}) {
    problems.insert(problems.end(), more.begin(), more.end());
  }
  if (problems.empty()) return;
  std::vector<std::string> lines;
  for (const v1::Problem& problem : problems) lines.push_back(problem_text(problem));
  throw Failure(Exit::refused, "the configuration could not be put in force", lines);
}

compile::Verdicts ReplayTables::verdicts_of(const std::vector<std::string>& failed) const {
  compile::Verdicts verdicts;
  for (const std::string& text : failed) {
    const auto identity = config::identity_of(parse_server(text));
    if (!identity || model_.pools_of(*identity).empty()) {
      throw Failure(Exit::not_found, "--failed " + text + ": no pool has such a server");
    }
    verdicts[*identity] = false;
  }
  return verdicts;
}

}  // namespace nezu::cli
