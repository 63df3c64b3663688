// Field masks: which fields of a stored object a request replaces.
//
// Pure; nothing here throws.
#pragma once

#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include "controlplane/config/yaml.h"

namespace nezu::config {

/// Puts the fields of `source` that `mask` names into `target`; lists are replaced whole. An empty
/// mask means the fields that are set in `source`, "*" means all. A path that does not exist is a
/// problem, and `target` is then as it was.
Problems update(google::protobuf::Message& target, const google::protobuf::Message& source,
                const google::protobuf::FieldMask& mask);

}  // namespace nezu::config
