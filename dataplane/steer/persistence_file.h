// The file in which persistence survives the process: `<directory>/persistence`.
//
// For the main thread, before workers run; never throws. A file of another boot or layout is made
// anew; one of another size is, too, and its clients move over.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "dataplane/steer/persistence.h"

namespace nezu::steer {

class PersistenceFile {
 public:
  struct Options {
    std::string directory;  ///< that exists
    uint32_t capacity = 0;  ///< clients
    uint64_t seed = 0;      ///< random; of a new file
    std::array<uint8_t, 16> boot_id{};
    net::Tick now = 0;
  };
  PersistenceFile() = default;
  PersistenceFile(const PersistenceFile&) = delete;
  PersistenceFile& operator=(const PersistenceFile&) = delete;
  ~PersistenceFile();

  /// False: `error()` says why, in a sentence.
  bool open(const Options& options);
  Persistence& table() { return *table_; }
  const std::string& error() const { return error_; }

 private:
  std::span<std::byte> create(const std::string& path, const Options& options);

  std::span<std::byte> memory_;
  std::unique_ptr<Persistence> table_;
  std::string error_;
};

}  // namespace nezu::steer
