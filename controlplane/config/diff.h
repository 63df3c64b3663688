// Differences by name: from a wanted configuration to the edit that leads there, and from an edit
// to what people read.
//
// Pure. The order of lists never counts.
#pragma once

#include "controlplane/config/model.h"
#include "controlplane/config/yaml.h"

namespace nezu::config {

/// The edit that makes `model` show `wanted` (normalised). Names that occur twice are problems.
store::Edit edit_to(const Model& model, const v1::Configuration& wanted, Problems& problems);

/// `edit` without the objects that are as `model` has them already.
store::Edit without_repeats(const Model& model, store::Edit edit);
bool is_empty(const store::Edit& edit);

/// What `edit` changed, given what undoes it; as people read it. At most kMostChanges are listed,
/// the counts are of all.
v1::Diff describe(const store::Edit& edit, const store::Edit& undo);
inline constexpr int kMostChanges = 1000;

}  // namespace nezu::config
