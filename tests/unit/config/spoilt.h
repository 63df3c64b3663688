// The sample configuration with one thing changed, and what is wrong with it then.
#pragma once

#include <string>

#include "controlplane/config/diff.h"
#include "controlplane/config/validate.h"
#include "sample.h"

namespace nezu::config {

template <typename Change>
std::string problems_with(Change change) {
  v1::Configuration configuration = sample();
  change(configuration);
  normalise(configuration);
  Model model;
  Problems problems;
  const store::Edit edit = edit_to(model, configuration, problems);
  for (const Problems& more :
       {problems_within(edit), (model.apply(edit), problems_between(model, edit))}) {
    problems.insert(problems.end(), more.begin(), more.end());
  }
  return text_of(problems);
}
/// `change` gets its first service as well.
template <typename Change>
std::string problems_with_service(Change change) {
  return problems_with([&](v1::Configuration& configuration) {
    change(configuration, *configuration.mutable_services(0));
  });
}

}  // namespace nezu::config
