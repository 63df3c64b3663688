#include "tools/nezu/archive.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "tools/nezu/failure.h"

namespace nezu::cli {
namespace {

constexpr size_t kBlock = 512;

/// POSIX.1-1988 ustar; numbers are octal text.
struct Head {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
  char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
static_assert(sizeof(Head) == kBlock);

Head head_of(const std::string& name, size_t size) {
  Head head{};
  std::snprintf(head.name, sizeof head.name, "%s", name.c_str());
  std::snprintf(head.mode, sizeof head.mode, "%07o", 0600u);
  std::snprintf(head.uid, sizeof head.uid, "%07o", 0u);
  std::snprintf(head.gid, sizeof head.gid, "%07o", 0u);
  std::snprintf(head.size, sizeof head.size, "%011zo", size);
  std::snprintf(head.mtime, sizeof head.mtime, "%011lo",
                static_cast<unsigned long>(std::time(nullptr)));
  head.type = '0';
  std::memcpy(head.magic, "ustar", 6);
  std::memcpy(head.version, "00", 2);
  std::memset(head.checksum, ' ', sizeof head.checksum);  // as it counts while it is summed
  const auto* bytes = reinterpret_cast<const unsigned char*>(&head);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof head; ++i) {
    sum += bytes[i];
  }
  std::snprintf(head.checksum, sizeof head.checksum, "%06o", sum);
  return head;
}

}  // namespace

void Archive::Close::operator()(void* file) const { ::gzclose(static_cast<gzFile>(file)); }

Archive::Archive(const std::string& path) : path_(path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gzFile file = fd < 0 ? nullptr : ::gzdopen(fd, "wb");
  if (file == nullptr) {
    throw Failure(Exit::usage, "cannot make " + path + ": " + std::strerror(errno));
  }
  file_.reset(file);
}

Archive::~Archive() = default;

void Archive::write(std::string_view bytes) {
  if (!bytes.empty() && ::gzwrite(static_cast<gzFile>(file_.get()), bytes.data(),
                                  static_cast<unsigned>(bytes.size())) <= 0) {
    throw Failure(Exit::internal, "cannot write " + path_ + ": is the disk full?");
  }
}

void Archive::add(const std::string& name, std::string_view content) {
  const Head head = head_of(name, content.size());
  write({reinterpret_cast<const char*>(&head), sizeof head});
  write(content);
  const std::string padding((kBlock - content.size() % kBlock) % kBlock, '\0');
  write(padding);
}

void Archive::finish() {
  write(std::string(2 * kBlock, '\0'));
  if (::gzclose(static_cast<gzFile>(file_.release())) != Z_OK) {
    throw Failure(Exit::internal, "cannot write " + path_ + ": is the disk full?");
  }
}

}  // namespace nezu::cli
