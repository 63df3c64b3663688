#include "controlplane/config/journal.h"

#include <fcntl.h>
#include <nmmintrin.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

namespace nezu::config {
namespace {

constexpr std::string_view kMagic = "nezujrn1";
constexpr size_t kHeadBytes = 8;

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), "Cannot " + what + " " + path);
}

void put_u32(std::string& out, uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

uint32_t get_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

uint32_t record_crc(uint32_t length, std::string_view payload) {
  return crc32c(payload, crc32c({reinterpret_cast<const char*>(&length), sizeof length}));
}

void put_record(std::string& out, std::string_view payload) {
  const auto length = static_cast<uint32_t>(payload.size());
  put_u32(out, length);
  put_u32(out, record_crc(length, payload));
  out.append(payload);
}

void write_all(int fd, std::string_view bytes, off_t at, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      fail("write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
}

void read_all(int fd, std::span<char> into, off_t at, const std::string& path) {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd, into.data(), into.size(), at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      fail("read", path);
    }
    into = into.subspan(static_cast<size_t>(got));
    at += got;
  }
}

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0640)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const File file(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (file.fd() < 0 || ::fsync(file.fd()) != 0) {
    fail("sync the folder of", path);
  }
}

void write_new(const std::string& path, std::string_view bytes) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.fd() < 0) {
    fail("create", path);
  }
  write_all(file.fd(), bytes, 0, path);
  if (::fsync(file.fd()) != 0) {
    fail("sync", path);
  }
}

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  uint64_t state = ~crc;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; at < bytes.size(); ++at) {
    narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(bytes[at]));
  }
  return ~narrow;
}

Records read_records(std::string_view bytes) {
  Records records;
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    records.lost_bytes = bytes.size();
    return records;
  }
  size_t at = kMagic.size();
  while (bytes.size() - at >= kHeadBytes) {
    const uint32_t length = get_u32(bytes, at);
    if (length > kLongestRecord || bytes.size() - at - kHeadBytes < length) {
      break;
    }
    const std::string_view payload = bytes.substr(at + kHeadBytes, length);
    if (get_u32(bytes, at + 4) != record_crc(length, payload)) {
      break;
    }
    records.payloads.emplace_back(payload);
    at += kHeadBytes + length;
  }
  records.whole_bytes = at;
  records.lost_bytes = bytes.size() - at;
  return records;
}

Journal::Journal(std::string path) : path_(std::move(path)) {
  const std::string bytes = read_file(path_);
  found_ = read_records(bytes);
  if (found_.lost_bytes > 0) {
    write_new(path_ + ".damaged", std::string_view(bytes).substr(found_.whole_bytes));
  }
  File file(path_, O_RDWR | O_CREAT);
  if (file.fd() < 0) {
    fail("open", path_);
  }
  bytes_ = found_.whole_bytes;
  if (::ftruncate(file.fd(), static_cast<off_t>(bytes_)) != 0) {
    fail("cut", path_);
  }
  if (bytes_ == 0) {
    write_all(file.fd(), kMagic, 0, path_);
    bytes_ = kMagic.size();
  }
  if (::fsync(file.fd()) != 0) {
    fail("sync", path_);
  }
  sync_folder_of(path_);
  fd_ = file.release();
}

Journal::~Journal() { ::close(fd_); }

void Journal::append(std::string_view payload) { put_record(buffer_, payload); }

void Journal::sync() {
  if (broken_) {
    errno = EIO;
    fail("go on writing after an earlier failure to", path_);
  }
  if (buffer_.empty()) {
    return;
  }
  try {
    write_all(fd_, buffer_, static_cast<off_t>(bytes_), path_);
    if (::fdatasync(fd_) != 0) {
      fail("sync", path_);
    }
  } catch (const std::system_error&) {
    buffer_.clear();
    // What was half written must not be found by the next start.
    broken_ = ::ftruncate(fd_, static_cast<off_t>(bytes_)) != 0 || ::fsync(fd_) != 0;
    throw;
  }
  bytes_ += buffer_.size();
  buffer_.clear();
}

void Journal::forget_before(uint64_t at) {
  std::string rest(kMagic);
  rest.resize(kMagic.size() + bytes_ - at);
  read_all(fd_, std::span(rest).subspan(kMagic.size()), static_cast<off_t>(at), path_);
  const std::string beside = path_ + ".new";
  write_new(beside, rest);
  File file(beside, O_RDWR);
  if (file.fd() < 0 || ::rename(beside.c_str(), path_.c_str()) != 0) {
    fail("rename", beside);
  }
  ::close(std::exchange(fd_, file.release()));
  bytes_ = rest.size();
  sync_folder_of(path_);
}

void write_file(const std::string& path, const std::vector<std::string>& payloads) {
  std::string bytes(kMagic);
  for (const std::string& payload : payloads) {
    put_record(bytes, payload);
  }
  const std::string beside = path + ".new";
  write_new(beside, bytes);
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    fail("rename", beside);
  }
  sync_folder_of(path);
}

std::string read_file(const std::string& path) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) {
    if (errno == ENOENT) {
      return {};
    }
    fail("open", path);
  }
  std::string bytes;
  std::string chunk(1u << 20, '\0');
  for (;;) {
    const ssize_t got = ::read(file.fd(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      fail("read", path);
    }
    if (got == 0) {
      return bytes;
    }
    bytes.append(chunk.data(), static_cast<size_t>(got));
  }
}

}  // namespace nezu::config
