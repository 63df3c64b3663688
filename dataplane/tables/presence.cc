#include "dataplane/tables/presence.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nezu::tables {
namespace {

std::string path_in(const std::string& directory) { return directory + "/dataplane.lock"; }

}  // namespace

Presence::Presence(const std::string& directory) {
  const std::string path = path_in(directory);
  file_ = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) {
    error_ = "cannot open " + path + ": " + std::strerror(errno);
    return;
  }
  // Whoever asks is_held() has it for an instant.
  constexpr int kTries = 20;
  constexpr useconds_t kPause = 5'000;
  for (int i = 0; i < kTries; ++i) {
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    usleep(kPause);
  }
  error_ = path + " is locked: another data plane uses this folder";
}

Presence::~Presence() {
  if (file_ >= 0) close(file_);
}

bool Presence::is_held(const std::string& directory) {
  const int file = open(path_in(directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  // A shared lock for an instant: a data plane that starts just then tries again.
  const bool held = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  return held;
}

}  // namespace nezu::tables
