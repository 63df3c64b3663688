// A tar.gz file, written entry by entry (POSIX ustar, zlib).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace nezu::cli {

class Archive {
 public:
  /// Makes the file, readable by its owner only. Throws Failure.
  explicit Archive(const std::string& path);
  ~Archive();
  /// `name` is at most 99 bytes; folders in it need no entry of their own.
  void add(const std::string& name, std::string_view content);
  /// Writes the end; throws Failure when anything could not be written.
  void finish();

 private:
  void write(std::string_view bytes);
  struct Close {
    void operator()(void* file) const;
  };
  std::string path_;
  std::unique_ptr<void, Close> file_;
};

}  // namespace nezu::cli
