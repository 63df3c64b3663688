// What is done to the device, or to what stands behind it, in the middle of a stretch of traffic.
//
// The loop's thread; a command of the shell runs in one of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/generator/event_text.h"

namespace nezu::generator {

class Engine;

class Event {
 public:
  virtual ~Event() = default;
  /// Asked often, from when it is to be done on.
  virtual bool done(uint64_t now) = 0;
  /// When done: 0, or how it failed; the time that it took.
  virtual int status() const = 0;
  virtual double seconds() const = 0;
  /// UDP flows of a server that falls silent.
  virtual uint64_t flows() const { return 0; }
};

struct EventTimes {
  double after;     ///< seconds until a command begins; the others begin when first asked
  double find_out;  ///< seconds that a device has to find out about a server
};
/// `engine` outlives it.
std::unique_ptr<Event> make_event(const EventText& text, const EventTimes& times, Engine& engine);

}  // namespace nezu::generator
