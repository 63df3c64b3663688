// What validation says of a whole configuration.
#pragma once

#include <string>

#include "controlplane/config/diff.h"
#include "controlplane/config/validate.h"
#include "sample.h"

namespace nezu::config {

struct Checked {
  std::string problems, warnings;
};

inline Checked check(const v1::Configuration& configuration) {
  v1::Configuration wanted = configuration;
  normalise(wanted);
  Model model;
  Problems problems;
  const store::Edit edit = edit_to(model, wanted, problems);
  for (const Problems& more :
       {problems_within(edit), (model.apply(edit), problems_between(model, edit))}) {
    problems.insert(problems.end(), more.begin(), more.end());
  }
  return {text_of(problems), text_of(warnings_of(model, edit))};
}

/// The sample with one thing spoilt.
template <typename Spoil>
std::string problems_with(Spoil spoil) {
  v1::Configuration configuration = sample();
  spoil(configuration);
  return check(configuration).problems;
}

}  // namespace nezu::config
