// What requests say in pieces: field masks, which name the fields of a stored object that a request
// replaces, and configurations that come in parts.
//
// Pure; nothing here throws.
#pragma once

#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include "controlplane/config/yaml.h"
#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

/// Puts the fields of `source` that `mask` names into `target`; lists are replaced whole. An empty
/// mask means the fields that are set in `source`, "*" means all. A path that does not exist is a
/// problem, and `target` is then as it was.
Problems update(google::protobuf::Message& target, const google::protobuf::Message& source,
                const google::protobuf::FieldMask& mask);

/// Adds the objects of a part to a whole, without a copy of them.
void add_part(v1::Configuration& whole, v1::Configuration part);

}  // namespace nezu::config
