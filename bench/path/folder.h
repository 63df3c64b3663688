// A folder of the bench's own for the files of flow tables, which goes with the process: also when
// that ends by an error (std::exit) or by SIGINT, SIGTERM or SIGHUP. Only SIGKILL leaves it behind.
#pragma once

#include <string>

namespace nezu::bench {

/// Once, first thing in main, before other threads: signals that end the process are taken by a
/// thread that removes what is there.
void remove_folders_at_end();

/// In hugetlbfs (/dev/hugepages) or tmpfs (/dev/shm).
class Folder {
 public:
  explicit Folder(bool huge);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace nezu::bench
