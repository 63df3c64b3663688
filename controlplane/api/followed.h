// Weights that follow their servers, as the API shows them; and back, for an upgrade.
//
// Any thread.
#pragma once

#include <string>

#include "controlplane/compile/share.h"
#include "controlplane/health/engine.h"
#include "controlplane/health/weights.h"
#include "nezu/v1/state.pb.h"

namespace nezu::api {

/// One for each pool of `status` whose weights follow the server: the shares alone, which change
/// when something is published.
void put_shares(const health::Weights& weights, v1::ServerStatus& status);
/// The same with what was heard and measured, and when.
void put_followed(const health::Weights& weights, const health::Engine& health,
                  v1::ServerStatus& status);

/// What another control plane showed.
compile::Share share_of(const v1::FollowedWeight& shown, compile::ShareSource source);

/// "server 10.0.0.1:80 takes 50 % of its weight", for the log.
std::string sentence_of(const tables::ServerIdentity& server, const compile::Share& share);

}  // namespace nezu::api
