// Which data plane forwards by a folder of regions, of whatever layout: a lock on
// `<directory>/dataplane.lock` that dies with the process that holds it and names it.
//
// The one thing that programs of different layouts can tell each other: during an upgrade the new
// control plane checks servers through the twins of the old data plane.
#pragma once

#include <cstdint>
#include <string>

namespace nezu::tables {

class Presence {
 public:
  /// For the data plane, while it forwards. `error` is a sentence when another one holds the
  /// folder.
  explicit Presence(const std::string& directory);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  const std::string& error() const { return error_; }

  /// For every other process: the holder's pid; 0: nobody. Any thread.
  static uint32_t holder(const std::string& directory);

 private:
  int file_ = -1;
  std::string error_;
};

}  // namespace nezu::tables
