#include "dataplane/nat_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "dataplane/tables/region.h"

namespace nezu::dataplane {
namespace {

constexpr uint64_t kRetry = net::kNanosecondsPerSecond;
constexpr size_t kFlushAbove = 64 << 10;
constexpr uint32_t kRecordsPerTurn = 1024;

int64_t wall_minus_boot() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return wall.tv_sec * int64_t{1'000'000'000} + wall.tv_nsec -
         static_cast<int64_t>(tables::boot_time().nanoseconds);
}

}  // namespace

NatLog::NatLog(Options options, uint16_t workers, tables::Header& header)
    : options_(std::move(options)), header_(header), wall_minus_boot_(wall_minus_boot()) {
  for (uint16_t i = 0; i < workers; ++i) {
    rings_.push_back(std::make_unique<path::NatRing>(options_.ring));
  }
  time(tables::boot_time().nanoseconds);
  buffer_ += "start\n";
  ++waiting_;
}

void NatLog::keep(const path::NatRecord& record) {
  line("kept", record);
  if (buffer_.size() > kFlushAbove) flush();
}

void NatLog::start() {
  flush();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "nat-log");
    while (!stop_.load(std::memory_order_relaxed)) {
      if (turn()) continue;
      const timespec nap{0, 5'000'000};
      nanosleep(&nap, nullptr);
    }
  });
}

void NatLog::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  while (turn()) {
  }
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

bool NatLog::turn() {
  std::array<path::NatRecord, 256> records;
  wall_minus_boot_ = wall_minus_boot();
  uint32_t all = 0;
  for (const auto& ring : rings_) {
    for (uint32_t of_this = 0; of_this < kRecordsPerTurn;) {
      const uint32_t count = ring->pop(records);
      for (uint32_t i = 0; i < count; ++i) {
        line(records[i].kind == path::NatRecord::Kind::open ? "open" : "close", records[i]);
      }
      of_this += count;
      all += count;
      if (buffer_.size() > kFlushAbove) flush();
      if (count < records.size()) break;
    }
  }
  flush();
  return all != 0;
}

void NatLog::time(uint64_t boot_ns) {
  const int64_t wall = static_cast<int64_t>(boot_ns) + wall_minus_boot_;
  const int64_t second = wall / 1'000'000'000;
  if (second != second_) {
    second_ = second;
    const time_t at = second;
    tm parts{};
    gmtime_r(&at, &parts);
    second_text_ =
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  }
  fmt::format_to(std::back_inserter(buffer_), "{}.{:06}Z ", second_text_,
                 wall % 1'000'000'000 / 1000);
}

void NatLog::line(std::string_view kind, const path::NatRecord& record) {
  time(record.when);
  fmt::format_to(std::back_inserter(buffer_), "{} {} {} {} {}\n", kind,
                 net::to_string(record.protocol), net::to_string(record.inside, record.inside_port),
                 net::to_string(record.snat, record.snat_port),
                 net::to_string(record.outside, record.outside_port));
  ++waiting_;
}

bool NatLog::open() {
  if (file_ >= 0) return true;
  const net::Instant now = tables::boot_time();
  if (now < try_again_) return false;
  file_ = ::open(options_.file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  struct stat status {};
  if (file_ < 0 || ::fstat(file_, &status) != 0) {
    fail("open");
    return false;
  }
  size_ = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  return true;
}

/// What waits goes to the file, or is lost.
void NatLog::flush() {
  if (waiting_ == 0) return;
  if (open()) {
    if (lost_ != 0) {
      const std::string before = std::move(buffer_);
      buffer_.clear();
      time(tables::boot_time().nanoseconds);
      buffer_ += fmt::format("lost {}\n", lost_) + before;
    }
    if (size_ != 0 && size_ + buffer_.size() > options_.bytes) rotate();
  }
  const auto length = static_cast<ssize_t>(buffer_.size());
  const ssize_t written =
      file_ >= 0 ? ::pwrite(file_, buffer_.data(), buffer_.size(), static_cast<off_t>(size_)) : -1;
  if (written == length) {
    size_ += static_cast<uint64_t>(length);
    header_.nat_log_written.add(waiting_);
    lost_ = 0;
    if (failing_) spdlog::info("the NAT log is written to {} again", options_.file);
    failing_ = false;
  } else {
    // No half of a line stays behind.
    if (written > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) errno = EIO;
    if (written >= 0) errno = ENOSPC;
    if (file_ >= 0) fail("write");
    header_.nat_log_lost.add(waiting_);
    lost_ += waiting_;
  }
  buffer_.clear();
  waiting_ = 0;
}

/// file.1 becomes file.2 and so on; the last one goes.
void NatLog::rotate() {
  ::close(file_);
  file_ = -1;
  const auto name = [this](uint32_t n) {
    return n == 0 ? options_.file : options_.file + "." + std::to_string(n);
  };
  if (options_.files <= 1) ::unlink(options_.file.c_str());
  for (uint32_t n = options_.files - 1; n > 0 && options_.files > 1; --n) {
    ::rename(name(n - 1).c_str(), name(n).c_str());
  }
  open();
}

void NatLog::fail(const char* what) {
  const int error = errno;
  if (!failing_) {
    spdlog::error("NAT log: cannot {} {}: {}; records are lost until that works", what,
                  options_.file, std::strerror(error));
  }
  failing_ = true;
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  try_again_ = net::after(tables::boot_time(), kRetry);
}

}  // namespace nezu::dataplane
