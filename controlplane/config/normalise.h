// Fills in every default and writes addresses in their one canonical form, so that equal
// configurations are equal messages.
//
// Pure; never fails: what cannot be understood stays as it is for `validate` to name.
#pragma once

#include "nezu/v1/configuration.pb.h"

namespace nezu::config {

void normalise(v1::VirtualService& service);
/// Servers come out ordered by identity.
void normalise(v1::Pool& pool);
/// Addresses come out ordered.
void normalise(v1::SnatSet& set);
/// A prefix, or one address, as it stands in a normalised access list or source NAT rule.
void canonical_network(std::string& text);
/// Lists come out ordered, each entry once, networks without bits behind their length.
void normalise(v1::SourceNat& rule);
void normalise(v1::NetworkInstance& instance);
void normalise(v1::Settings& settings);
void normalise(v1::Configuration& configuration);

/// Equal byte by byte; for normalised messages this is "means the same".
bool equal(const google::protobuf::Message& a, const google::protobuf::Message& b);

}  // namespace nezu::config
