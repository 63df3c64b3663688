// How long a cache line takes to another core and back.
//
// On shared hosts it is one of two values, and the rate between two cores follows it: trials beside
// a slow one say nothing about the device.
#pragma once

namespace nezu::generator {

/// Nanoseconds, the median of some hundred ways there and back; the other end is a thread on
/// `core`, which may be busy with something else. Takes some milliseconds.
double bounce_nanoseconds(int core, double tsc_hz);

}  // namespace nezu::generator
