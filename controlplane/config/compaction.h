// The full file, written by a thread of its own while changes go on.
//
// Given what was in force at one moment: objects are immutable, so nothing waits for the writer.
// One thread at a time uses the object.
#pragma once

#include <future>
#include <string>

#include "controlplane/config/model.h"

namespace nezu::config {

/// What the full file holds.
struct Revision {
  uint64_t sequence = 0;  ///< of the last record that it covers
  uint64_t number = 0;
  Snapshot objects;
  std::vector<std::shared_ptr<const store::Past>> past;  ///< oldest first
};

class Compaction {
 public:
  /// `journal_bytes`: where the journal stood at that moment.
  Compaction(std::string path, Revision revision, uint64_t journal_bytes);

  bool is_done() const;
  /// Waits; the file's bytes. Throws std::system_error when it could not be written.
  uint64_t finish() { return bytes_.get(); }
  uint64_t journal_bytes() const { return journal_bytes_; }

 private:
  const uint64_t journal_bytes_;
  std::future<uint64_t> bytes_;
};

}  // namespace nezu::config
