// DPDK's environment of all these tests, in a network namespace of its own: it starts only once in
// a process. Two veth pairs, v0-p0 and v1-p1 (MTU 9000), with ports on v0 and v1; a TAP; net_null.
#pragma once

#include "dataplane/device/eal.h"

namespace nezu::device {

Eal& eal();

}  // namespace nezu::device
