#include "dataplane/tables/presence.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nezu::tables {
namespace {

std::string path_in(const std::string& directory) { return directory + "/dataplane.lock"; }

/// The whole file. A record lock, because asking for it tells who has it.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Presence::Presence(const std::string& directory) {
  const std::string path = path_in(directory);
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  struct flock lock = whole_file();
  if (file_ < 0) {
    error_ = "cannot open " + path + ": " + std::strerror(errno);
  } else if (fcntl(file_, F_SETLK, &lock) != 0) {
    error_ = path + " is locked by process " + std::to_string(holder(directory)) +
             ": another data plane uses this folder";
  }
}

Presence::~Presence() {
  if (file_ >= 0) close(file_);
}

uint32_t Presence::holder(const std::string& directory) {
  const int file = open(path_in(directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  struct flock lock = whole_file();
  const bool asked = fcntl(file, F_GETLK, &lock) == 0;
  close(file);
  return asked && lock.l_type != F_UNLCK ? static_cast<uint32_t>(lock.l_pid) : 0;
}

}  // namespace nezu::tables
