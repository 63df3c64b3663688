#include "dataplane/flow/file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "dataplane/flow/mapped_file.h"

namespace nezu::flow {
namespace {

constexpr uint64_t kMagic = 0x6e657a752d666c31;  // "nezu-fl1"
constexpr uint64_t kEntryRevision = 3;  ///< another meaning of the same bytes: another number
constexpr std::string_view kPrefix = "flows-", kAside = ".aside";

uint64_t mixed(uint64_t hash, uint64_t value) {
  for (int i = 0; i < 8; ++i) hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x100000001b3u;
  return hash;
}

std::string reason() { return std::strerror(errno); }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    if (std::string_view(entry->d_name).starts_with(kPrefix)) names.emplace_back(entry->d_name);
  }
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

uint64_t file_layout() {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const uint64_t value :
       {kEntryRevision, uint64_t{sizeof(Entry4)}, uint64_t{sizeof(Entry6)},
        uint64_t{offsetof(Entry4, track)}, uint64_t{offsetof(Entry6, track)},
        uint64_t{offsetof(Track, valid)}, uint64_t{offsetof(Track, state)},
        uint64_t{offsetof(Track, deadline)}, uint64_t{net::kTicksPerSecond},
        uint64_t{tables::kTimeoutCount}, uint64_t{sizeof(Splice)}, uint64_t{sizeof(Change)},
        uint64_t{offsetof(Splice, valid)}, uint64_t{kRelays}, uint64_t{sizeof(Relay)}}) {
    hash = mixed(hash, value);
  }
  return hash;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(at_, other.at_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() { unmap({at_, bytes_}); }

std::string Files::path_of(uint16_t worker) const {
  return options_.directory + "/" + std::string(kPrefix) + std::to_string(worker);
}

bool Files::is_readable(const FileHeader& header) const {
  return header.magic == kMagic && header.layout == file_layout() &&
         header.boot_id == options_.boot_id && header.shard_count == tables::kShardCount;
}

bool Files::fits(const FileHeader& header, uint16_t worker) const {
  return header.workers == options_.workers && header.worker == worker &&
         header.capacity == options_.capacity;
}

Mapping Files::map_existing(const std::string& path) {
  const std::span<std::byte> memory = flow::map_existing(path);
  Mapping mapping(memory);
  if (memory.size() < kFileHeaderBytes) return {};
  const FileHeader& header = mapping.header();
  const bool whole = is_readable(header) && header.capacity.narrow <= FlowId::kIndex &&
                     header.capacity.wide <= FlowId::kIndex &&
                     header.capacity.splices <= FlowId::kIndex &&
                     memory.size() >= kFileHeaderBytes + Extent(header.capacity).bytes;
  return whole ? std::move(mapping) : Mapping();
}

Mapping Files::create(const std::string& path, uint16_t worker) {
  Mapping mapping(map_new(path, kFileHeaderBytes + Extent(options_.capacity).bytes,
                          "give fewer flows or more huge pages", error_));
  if (!mapping.exists()) return {};
  FileHeader& header = mapping.header();
  header.layout = file_layout();
  header.region_id = options_.region_id;
  header.boot_id = options_.boot_id;
  header.shard_count = tables::kShardCount;
  header.workers = options_.workers;
  header.worker = worker;
  header.capacity = options_.capacity;
  header.left_well = 1;
  header.magic = kMagic;
  return mapping;
}

/// A file of an earlier start: in place, set aside, or gone.
void Files::sort_out(const std::string& name) {
  const std::string path = options_.directory + "/" + name;
  Mapping mapping = map_existing(path);
  if (!mapping.exists()) {
    ::unlink(path.c_str());
    ++removed_files_;
    return;
  }
  const bool aside = name.ends_with(kAside);
  const auto worker = static_cast<uint16_t>(mapping.header().worker);
  if (!aside && worker < options_.workers && fits(mapping.header(), worker) &&
      path == path_of(worker)) {
    current_[worker] = std::move(mapping);
    return;
  }
  std::string other = path;
  if (!aside) {
    // A number of its own: an earlier one may still wait under the same worker's name.
    for (int i = 0; ::access(other.c_str(), F_OK) == 0; ++i) {
      other = path + "." + std::to_string(i) + std::string(kAside);
    }
    ::rename(path.c_str(), other.c_str());
  }
  leftovers_.push_back(std::move(mapping));
  leftover_paths_.push_back(other);
}

/// True when this file's flows seem to kill whoever adopts them.
bool Files::judge_crashes(FileHeader& header) {
  header.quick_crashes = header.left_well != 0 ? 0 : header.quick_crashes + 1;
  header.left_well = 0;
  if (header.quick_crashes < kQuickCrashesAllowed) return false;
  header.quick_crashes = 0;
  return true;
}

bool Files::open(const Options& options) {
  options_ = options;
  current_.clear();
  current_.resize(options.workers);
  if (::mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error_ = "cannot make the directory " + options.directory + ": " + reason();
    return false;
  }
  for (const std::string& name : names_in(options.directory)) sort_out(name);
  for (const Mapping& mapping : current_) {
    if (mapping.exists()) started_empty_ |= judge_crashes(mapping.header());
  }
  for (const Mapping& mapping : leftovers_) started_empty_ |= judge_crashes(mapping.header());
  if (started_empty_) {
    for (uint16_t worker = 0; worker < options.workers; ++worker) {
      if (!current_[worker].exists()) continue;
      ::unlink(path_of(worker).c_str());
      current_[worker] = Mapping();
    }
    finish();
  }
  for (uint16_t worker = 0; worker < options.workers; ++worker) {
    if (!current_[worker].exists()) current_[worker] = create(path_of(worker), worker);
    if (!current_[worker].exists()) return false;
    current_[worker].header().left_well = 0;
  }
  return true;
}

void Files::finish() {
  leftovers_.clear();
  for (const std::string& path : leftover_paths_) ::unlink(path.c_str());
  leftover_paths_.clear();
  for (const Mapping& mapping : current_) {
    if (mapping.exists()) mapping.header().region_id = options_.region_id;
  }
}

void Files::settle() {
  for (const Mapping& mapping : current_) {
    mapping.header().left_well = 1;
    mapping.header().quick_crashes = 0;
  }
}

}  // namespace nezu::flow
