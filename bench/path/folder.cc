#include "bench/path/folder.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

namespace nezu::bench {
namespace {

std::mutex mutex;
std::set<std::string> present;  ///< under `mutex`

void remove_present() {
  const std::scoped_lock lock(mutex);
  std::error_code ignored;
  for (const std::string& folder : present) std::filesystem::remove_all(folder, ignored);
  present.clear();
}

}  // namespace

void remove_folders_at_end() {
  sigset_t ending;
  ::sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&ending, signal);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::atexit(remove_present);
  std::thread([ending] {
    int signal = 0;
    while (::sigwait(&ending, &signal) != 0) {
    }
    remove_present();
    ::_exit(128 + signal);
  }).detach();
}

Folder::Folder(bool huge)
    : path_(std::string(huge ? "/dev/hugepages" : "/dev/shm") + "/nezu-bench-" +
            std::to_string(::getpid()) + "-XXXXXX") {
  const std::scoped_lock lock(mutex);
  if (::mkdtemp(path_.data()) == nullptr) {
    std::fprintf(stderr, "nezu-bench-path: cannot make a directory like %s\n", path_.c_str());
    std::_Exit(1);
  }
  present.insert(path_);
}

Folder::~Folder() {
  const std::scoped_lock lock(mutex);
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  present.erase(path_);
}

}  // namespace nezu::bench
