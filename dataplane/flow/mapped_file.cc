#include "dataplane/flow/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nezu::flow {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

size_t rounded_to_pages(int file, size_t bytes) {
  struct statfs about {};
  const size_t page =
      ::fstatfs(file, &about) == 0 && about.f_bsize > 0 ? static_cast<size_t>(about.f_bsize) : 4096;
  return (bytes + page - 1) / page * page;
}

std::span<std::byte> map(int file, size_t bytes, int flags) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, file, 0);
  if (at == MAP_FAILED) return {};
  return {static_cast<std::byte*>(at), bytes};
}

}  // namespace

std::span<std::byte> map_new(const std::string& path, size_t bytes, const std::string& advice,
                             std::string& error) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.number() < 0) {
    error = "cannot make " + path + ": " + std::strerror(errno);
    return {};
  }
  const size_t whole = rounded_to_pages(file.number(), bytes);
  if (const int failed = ::posix_fallocate(file.number(), 0, static_cast<off_t>(whole))) {
    error = "no room for " + std::to_string(whole >> 20) + " MiB in " + path + ": " +
            std::strerror(failed) + "; " + advice;
    ::unlink(path.c_str());
    return {};
  }
  const std::span<std::byte> memory = map(file.number(), whole, MAP_POPULATE);
  if (memory.empty()) {
    error = "cannot map " + path + ": " + std::strerror(errno);
    ::unlink(path.c_str());
  }
  return memory;
}

std::span<std::byte> map_existing(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct stat about {};
  if (file.number() < 0 || ::fstat(file.number(), &about) != 0 || about.st_size == 0) return {};
  return map(file.number(), static_cast<size_t>(about.st_size), 0);
}

void unmap(std::span<std::byte> memory) {
  if (!memory.empty()) ::munmap(memory.data(), memory.size());
}

}  // namespace nezu::flow
