#include "dataplane/tables/region.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>

namespace nezu::tables {
namespace {

constexpr uint64_t kSmallestAlignment = 4096;
constexpr mode_t kFileMode = 0660;

uint64_t rounded(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

std::string because(const std::string& what) { return what + ": " + std::strerror(errno); }

/// Gives each part of the fixed area its place, in the order of layout.h's drawing.
void place_parts(Header& header, uint64_t page_bytes) {
  uint64_t at = sizeof(Header);
  const auto place = [&at](uint64_t bytes) {
    const uint64_t offset = at;
    at = rounded(at + bytes, kSmallestAlignment);
    return offset;
  };
  const Sizes& sizes = header.sizes;
  header.readers_offset = place(sizeof(ReaderLine) * kMaxReaders);
  header.workers_offset = place(sizeof(WorkerLine) * sizes.workers);
  header.ports_offset = place(sizeof(PortLine) * kMaxPorts);
  header.requests_offset = place(sizeof(RequestRing));
  header.replies_offset = place(sizeof(ReplyRing));
  header.events_offset = place(sizeof(EventRing));
  header.service_counters_offset =
      place(sizeof(ServiceCounters) * uint64_t{sizes.services} * sizes.workers);
  header.server_counters_offset =
      place(sizeof(ServerCounters) * uint64_t{sizes.servers} * sizes.workers);
  header.address_gauges_offset =
      place(sizeof(AddressGauge) * uint64_t{sizes.addresses} * sizes.workers);
  header.captures_offset = place(sizeof(CaptureRing) * sizes.workers);
  header.heap_offset = at;
  header.file_bytes = rounded(at + sizes.heap_bytes, page_bytes);
  // What rounding added belongs to the heap.
  header.sizes.heap_bytes = header.file_bytes - header.heap_offset;
}

uint64_t random_word() {
  uint64_t word = 0;
  while (getrandom(&word, sizeof word, 0) != static_cast<ssize_t>(sizeof word)) {
  }
  return word;
}

std::array<uint8_t, 16> boot_id() {
  std::array<uint8_t, 16> id{};
  std::array<char, 64> text{};
  if (FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "re")) {
    const size_t length = std::fread(text.data(), 1, text.size() - 1, file);
    std::fclose(file);
    size_t digits = 0;
    for (size_t i = 0; i < length && digits < 32; ++i) {
      const char c = text[i];
      if (c == '-' || c == '\n') continue;
      const auto value = static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      id[digits / 2] = static_cast<uint8_t>(id[digits / 2] << 4 | value);
      ++digits;
    }
  }
  return id;
}

/// Fresh pages are zero, so that only what is not zero is written.
void fill_header(void* base, const Sizes& sizes, uint64_t page_bytes) {
  auto* header = new (base) Header;
  header->layout = layout_hash();
  header->region_id = random_word();
  header->boot_id = boot_id();
  header->hash_seed = random_word();
  header->sizes = sizes;
  place_parts(*header, page_bytes);
  header->heap_top.store(header->heap_offset, std::memory_order_relaxed);
  auto* readers =
      reinterpret_cast<ReaderLine*>(static_cast<uint8_t*>(base) + header->readers_offset);
  for (uint32_t i = 0; i < kMaxReaders; ++i) {
    new (readers + i) ReaderLine;
  }
  header->state.store(static_cast<uint32_t>(RegionState::not_ready), std::memory_order_release);
}

uint64_t total_bytes(const Sizes& sizes, uint64_t page_bytes) {
  Header header;
  header.sizes = sizes;
  place_parts(header, page_bytes);
  return header.file_bytes;
}

uint64_t page_bytes_of(int file) {
  struct statfs system {};
  if (fstatfs(file, &system) == 0 && system.f_type == HUGETLBFS_MAGIC) {
    return static_cast<uint64_t>(system.f_bsize);
  }
  return kSmallestAlignment;
}

bool is_hugetlbfs(int file) {
  struct statfs system {};
  return fstatfs(file, &system) == 0 && system.f_type == HUGETLBFS_MAGIC;
}

/// Takes every page now: hugetlbfs by mapping (which reserves), others by allocating.
bool take_pages(int file, uint64_t bytes) {
  if (ftruncate(file, static_cast<off_t>(bytes)) != 0) return false;
  if (is_hugetlbfs(file)) return true;
  const int error = posix_fallocate(file, 0, static_cast<off_t>(bytes));
  errno = error;
  return error == 0;
}

void* map_file(int file, uint64_t bytes) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Reads what two builds must agree on before they may trust anything else.
std::string refuse(const Header& header, const std::string& path, uint64_t file_bytes) {
  std::array<char, 160> text{};
  if (header.magic != kMagic) {
    return path + " is not a region of Nezu; remove it";
  }
  if (header.layout != layout_hash()) {
    std::snprintf(text.data(), text.size(), " has layout %016lx, this program reads %016lx",
                  static_cast<unsigned long>(header.layout),
                  static_cast<unsigned long>(layout_hash()));
    return path + text.data();
  }
  if (header.file_bytes != file_bytes) {
    return path + " is not as long as its header says; remove it";
  }
  if (header.boot_id != boot_id()) {
    return path + " is from before the last boot; the control plane makes a new one";
  }
  return {};
}

/// Only where neither hugetlbfs nor tmpfs holds it. Its deadlines and readers mean nothing now.
bool is_from_another_boot(const std::string& path) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return false;
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (bytes < sizeof(Header)) return false;
  void* base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (base == MAP_FAILED) return false;
  const auto* header = static_cast<const Header*>(base);
  const bool is_ours = header->magic == kMagic && header->layout == layout_hash();
  const bool is_old = is_ours && header->boot_id != boot_id();
  munmap(base, bytes);
  return is_old;
}

std::string other_layouts(const std::string& directory) {
  std::string text;
  for (const Found& found : find_regions(directory)) {
    if (!found.ours) text += (text.empty() ? "" : ", ") + found.path;
  }
  return text;
}

/// Makes the file under another name, so that nobody ever sees half of it.
std::string make_file(const std::string& path, const Sizes& sizes) {
  const std::string making = path + ".making";
  unlink(making.c_str());
  const File file(open(making.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
  if (!file) return because("cannot create " + making);
  const uint64_t page = page_bytes_of(file.get());
  const uint64_t bytes = total_bytes(sizes, page);
  if (!take_pages(file.get(), bytes)) {
    const std::string error = because("cannot reserve " + std::to_string(bytes) + " bytes for " +
                                      making + " (fewer services or a smaller heap need less)");
    unlink(making.c_str());
    return error;
  }
  void* base = map_file(file.get(), bytes);
  if (base == MAP_FAILED) {
    const std::string error = because("cannot map " + std::to_string(bytes) + " bytes of " +
                                      making + " (are enough huge pages free?)");
    unlink(making.c_str());
    return error;
  }
  fill_header(base, sizes, page);
  munmap(base, bytes);
  if (rename(making.c_str(), path.c_str()) != 0) return because("cannot rename " + making);
  return {};
}

/// Field 22 of /proc/PID/stat, in clock ticks since boot; 0 when there is no such process, or only
/// what is left of it until its parent asks for its status: that maps and reads nothing any more.
uint64_t start_ticks(uint32_t pid) {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", pid);
  FILE* file = std::fopen(path.data(), "re");
  if (file == nullptr) return 0;
  std::array<char, 1024> text{};
  const size_t length = std::fread(text.data(), 1, text.size() - 1, file);
  std::fclose(file);
  // The command's name, in parentheses, may hold anything: fields are counted after the last ')'.
  std::string_view rest(text.data(), length);
  const size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  rest.remove_prefix(name_end + 1);
  if (rest.starts_with(" Z") || rest.starts_with(" X")) return 0;
  for (int field = 2; field < 22; ++field) {
    const size_t space = rest.find(' ');
    if (space == std::string_view::npos) return 0;
    rest.remove_prefix(space + 1);
  }
  uint64_t start = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), start);
  return start;
}

}  // namespace

Region::~Region() {
  if (base_ != nullptr) munmap(base_, bytes_);
  if (lock_ >= 0) close(lock_);
}

Region::Opened Region::open_writer(const std::string& directory, const Sizes& sizes) {
  Opened opened;
  const std::string path = directory + "/" + region_name(layout_hash());
  const std::string lock_path = path + ".lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
  if (lock < 0) {
    opened.error = because("cannot open " + lock_path);
    return opened;
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    opened.error = lock_path + " is locked: another control plane writes this region";
    close(lock);
    return opened;
  }
  if (access(path.c_str(), F_OK) == 0 && is_from_another_boot(path)) unlink(path.c_str());
  if (access(path.c_str(), F_OK) != 0) {
    opened.error = make_file(path, sizes);
    if (!opened.error.empty()) {
      close(lock);
      return opened;
    }
    opened.created = true;
  }
  const bool created = opened.created;
  opened = open_reader(directory);
  opened.created = created;
  if (opened.region) {
    opened.region->lock_ = lock;
  } else {
    close(lock);
  }
  return opened;
}

Region::Opened Region::open_reader(const std::string& directory) {
  Opened opened;
  const std::string path = directory + "/" + region_name(layout_hash());
  const File file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) {
    opened.error = because("cannot open " + path);
    if (const std::string others = other_layouts(directory); !others.empty()) {
      opened.error += "; there are regions of other layouts (" + others +
                      "): control plane and data plane must be of the same version";
    }
    return opened;
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || status.st_size < static_cast<off_t>(sizeof(Header))) {
    opened.error = path + " is too short to be a region; remove it";
    return opened;
  }
  const auto bytes = static_cast<uint64_t>(status.st_size);
  void* base = map_file(file.get(), bytes);
  if (base == MAP_FAILED) {
    opened.error = because("cannot map " + path);
    return opened;
  }
  std::unique_ptr<Region> region(new Region);
  region->base_ = static_cast<uint8_t*>(base);
  region->bytes_ = bytes;
  region->path_ = path;
  opened.error = refuse(region->header(), path, bytes);
  if (opened.error.empty()) opened.region = std::move(region);
  return opened;
}

Region::Opened Region::in_memory(const Sizes& sizes) {
  Opened opened;
  const uint64_t bytes = total_bytes(sizes, kSmallestAlignment);
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) {
    opened.error = because("cannot map memory");
    return opened;
  }
  fill_header(base, sizes, kSmallestAlignment);
  opened.region.reset(new Region);
  opened.region->base_ = static_cast<uint8_t*>(base);
  opened.region->bytes_ = bytes;
  opened.region->path_ = "(memory)";
  opened.created = true;
  return opened;
}

std::string usual_directory() {
  std::ifstream mounts("/proc/mounts");
  std::ifstream pages("/proc/sys/vm/nr_hugepages");
  uint64_t count = 0;
  if (!(pages >> count) || count == 0) return "/run/nezu";
  for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
    std::getline(mounts, rest);
    if (type == "hugetlbfs" && place == "/dev/hugepages") return "/dev/hugepages/nezu";
  }
  return "/run/nezu";
}

std::string region_name(uint64_t layout) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "region-%016lx", static_cast<unsigned long>(layout));
  return text.data();
}

std::vector<Found> find_regions(const std::string& directory) {
  std::vector<Found> regions;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return regions;
  constexpr std::string_view kPrefix = "region-";
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + 16) continue;
    Found found;
    const char* last = name.data() + name.size();
    const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), last, found.layout, 16);
    if (error != std::errc{} || end != last) continue;
    found.path = directory + "/" + std::string(name);
    found.ours = found.layout == layout_hash();
    struct stat status {};
    if (stat(found.path.c_str(), &status) == 0) {
      found.file_bytes = static_cast<uint64_t>(status.st_size);
    }
    regions.push_back(found);
  }
  closedir(entries);
  return regions;
}

uint64_t process_mark(uint32_t pid) {
  const uint64_t start = start_ticks(pid);
  return start != 0 ? start << 24 | pid : 0;
}

net::Instant process_start(uint32_t pid) {
  const auto per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return net::Instant{start_ticks(pid) * (net::kNanosecondsPerSecond / per_second)};
}

net::Instant boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return net::Instant{static_cast<uint64_t>(now.tv_sec) * net::kNanosecondsPerSecond +
                      static_cast<uint64_t>(now.tv_nsec)};
}

}  // namespace nezu::tables
