// Records on disk: an append-only file whose every record carries its length and a CRC32C.
//
//   | "nezujrn1" | length u32 | crc u32 | payload | length | crc | payload | ...   (little endian)
//
// The CRC covers the length and the payload. A crash may tear the last record; whatever follows the
// last whole record is kept beside the file (`<path>.damaged`), reported, and cut off. Appending
// only fills a buffer; `sync` makes all of it durable by one write and one fdatasync, which the
// requests that wait meanwhile share. One thread; failures of the disk throw std::system_error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nezu::config {

/// What a file's bytes hold. Pure.
struct Records {
  std::vector<std::string> payloads;
  uint64_t whole_bytes = 0;  ///< up to the end of the last whole record
  uint64_t lost_bytes = 0;   ///< behind it
};
Records read_records(std::string_view bytes);

/// CRC32C (RFC 3720 appendix B.4), continuing from `crc`.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

inline constexpr uint32_t kLongestRecord = 1u << 30;

class Journal {
 public:
  /// Opens or makes the file and cuts off a torn tail.
  explicit Journal(std::string path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// What was found when it was opened.
  const Records& found() const { return found_; }
  void forget_found() { found_ = {}; }

  void append(std::string_view payload);
  /// After a failure the file is as it was before, or every later call fails as well.
  void sync();
  void drop_unsynced() { buffer_.clear(); }
  /// Forgets the records that end at `at` or before, when nothing is unsynced. A crash leaves all
  /// of them or those behind.
  void forget_before(uint64_t at);

  uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t bytes_ = 0;  ///< durable
  bool broken_ = false;
  std::string buffer_;
  Records found_;
};

/// Replaces a file by these records so that a crash leaves the old or the new one: written beside
/// it, synced, renamed, the folder synced.
void write_file(const std::string& path, const std::vector<std::string>& payloads);
/// The whole file; empty when there is none.
std::string read_file(const std::string& path);

}  // namespace nezu::config
