// The named files in which flows survive the process: one for each worker.
//
//   <directory>/flows-<worker>   | FileHeader (4 KiB) | entries | links | buckets |
//
// For main.cc, before workers run; never throws. Only entries count in a file that was left behind;
// all else is built from them (path_restore.h). A file is used in place when nothing has changed
// that its entries depend on; otherwise (another worker count or capacity) it is set aside under
// another name and its flows move to their new owners, after which it is removed. A crash in the
// middle of that leaves both, and the next start goes on; what is there twice is dropped once.
//
// Files of another boot, of another layout or of other shards are removed: their deadlines, fields
// or owners mean nothing here. The directory should be in hugetlbfs or tmpfs; all pages are taken
// at start, so that no access faults later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/flow/table.h"

namespace nezu::flow {

struct FileHeader {
  uint64_t magic = 0;
  uint64_t layout = 0;
  uint64_t region_id = 0;  ///< slots in entries are of that region
  std::array<uint8_t, 16> boot_id{};
  uint32_t shard_count = 0;
  uint32_t workers = 0;
  uint32_t worker = 0;
  Capacity capacity;
  // How the processes that used it ended.
  uint32_t quick_crashes = 0;  ///< in a row, each before it had run for kSettleSeconds
  uint32_t left_well = 0;      ///< the last one ended by itself or had settled
};
static_assert(sizeof(FileHeader) <= 4096);

inline constexpr size_t kFileHeaderBytes = 4096;
inline constexpr uint32_t kSettleSeconds = 10;
inline constexpr uint32_t kQuickCrashesAllowed = 2;

/// Of entries: what their bytes mean.
uint64_t file_layout();

/// A mapped file. Movable.
class Mapping {
 public:
  Mapping() = default;
  explicit Mapping(std::span<std::byte> memory) : at_(memory.data()), bytes_(memory.size()) {}
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  FileHeader& header() const { return *reinterpret_cast<FileHeader*>(at_); }
  /// For flow::Table.
  std::span<std::byte> memory() const {
    return {at_ + kFileHeaderBytes, bytes_ - kFileHeaderBytes};
  }
  bool exists() const { return at_ != nullptr; }

 private:
  std::byte* at_ = nullptr;
  size_t bytes_ = 0;
};

class Files {
 public:
  struct Options {
    std::string directory;
    uint16_t workers = 1;
    Capacity capacity;
    uint64_t region_id = 0;
    std::array<uint8_t, 16> boot_id{};
  };

  /// False: `error()` says why, in a sentence.
  bool open(const Options& options);

  std::span<std::byte> memory(uint16_t worker) const { return current_[worker].memory(); }
  /// The region that the slots in that worker's entries are of; of this start after `finish`.
  uint64_t region_id(uint16_t worker) const { return current_[worker].header().region_id; }
  /// Files whose flows are to be moved.
  std::span<const Mapping> leftovers() const { return leftovers_; }
  /// Flows were left out because the data plane had crashed twice at once after adopting them.
  bool started_empty() const { return started_empty_; }
  uint32_t removed_files() const { return removed_files_; }
  const std::string& error() const { return error_; }

  /// All flows are where they belong: leftovers go.
  void finish();
  /// The process has run for kSettleSeconds, or ends in good order: the next start trusts it.
  void settle();

 private:
  bool fits(const FileHeader& header, uint16_t worker) const;
  bool is_readable(const FileHeader& header) const;
  void sort_out(const std::string& name);
  Mapping map_existing(const std::string& path);
  Mapping create(const std::string& path, uint16_t worker);
  bool judge_crashes(FileHeader& header);
  std::string path_of(uint16_t worker) const;

  Options options_;
  std::vector<Mapping> current_;
  std::vector<Mapping> leftovers_;
  std::vector<std::string> leftover_paths_;
  bool started_empty_ = false;
  uint32_t removed_files_ = 0;
  std::string error_;
};

}  // namespace nezu::flow
