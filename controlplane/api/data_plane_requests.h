// Within api/: what calls have in common that ask the running data plane.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <string>

#include "controlplane/config/validate.h"
#include "controlplane/publish/publisher.h"

namespace nezu::api {

/// In ms; 0 is the default, 5 s.
std::chrono::milliseconds timeout_of(uint32_t wanted, config::Problems& problems);
/// Records; 0 is the default, 1000.
uint32_t limit_of(uint32_t wanted, config::Problems& problems);
/// An empty text leaves `to` alone.
void put_address(const std::string& text, const std::string& field, net::Address& to,
                 config::Problems& problems);
/// Null: there is none, and `problems` says so at `field`.
const publish::ServiceReading* find_service(const std::string& name, const std::string& field,
                                            const publish::Reading& now,
                                            config::Problems& problems);
grpc::Status status_of(publish::Answer answer);

}  // namespace nezu::api
