// Any text as a configuration file: read or refused with a sentence; what was read is written and
// read back as the same, in YAML and in JSON; every check of it comes to an end.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"
#include "controlplane/config/yaml.h"

namespace {

void must(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nezu;
  v1::Configuration configuration;
  config::Problems problems =
      config::from_yaml({reinterpret_cast<const char*>(bytes), size}, configuration);
  for (const v1::Problem& problem : problems) {
    must(!problem.field().empty() && !problem.description().empty());
  }
  if (!problems.empty()) {
    return 0;
  }
  config::normalise(configuration);
  config::Model model;
  const store::Edit edit = config::edit_to(model, configuration, problems);
  const bool is_valid = problems.empty() && config::problems_within(edit).empty();
  model.apply(edit);
  config::problems_between(model, edit);
  if (is_valid) {
    for (const std::string& text :
         {config::to_yaml(configuration), config::to_json(configuration)}) {
      v1::Configuration back;
      must(config::from_yaml(text, back).empty());
      must(config::equal(configuration, back));
    }
  }
  return 0;
}
