#include "dataplane/steer/persistence_file.h"

#include <unistd.h>

#include <cstdio>

#include "dataplane/flow/mapped_file.h"

namespace nezu::steer {
namespace {

constexpr uint64_t kMagic = 0x6e657a752d706531;  // "nezu-pe1": another meaning, another number
constexpr size_t kHeaderBytes = 4096;

struct Header {
  uint64_t magic = 0;
  uint64_t seed = 0;
  std::array<uint8_t, 16> boot_id{};
  uint32_t capacity = 0;
};
static_assert(sizeof(Header) <= kHeaderBytes);

Header& header_of(std::span<std::byte> memory) { return *reinterpret_cast<Header*>(memory.data()); }
bool is_readable(std::span<std::byte> memory, const std::array<uint8_t, 16>& boot_id) {
  if (memory.size() < kHeaderBytes) return false;
  const Header& header = header_of(memory);
  return header.magic == kMagic && header.boot_id == boot_id && header.capacity != 0 &&
         header.capacity % Persistence::kWays == 0 &&
         memory.size() >= kHeaderBytes + Persistence::bytes(header.capacity);
}

std::unique_ptr<Persistence> make_table(std::span<std::byte> memory) {
  const Header& header = header_of(memory);
  return std::make_unique<Persistence>(memory.subspan(kHeaderBytes), header.capacity, header.seed);
}

}  // namespace

PersistenceFile::~PersistenceFile() { flow::unmap(memory_); }

std::span<std::byte> PersistenceFile::create(const std::string& path, const Options& options) {
  ::unlink(path.c_str());
  const std::span<std::byte> memory = flow::map_new(
      path, kHeaderBytes + Persistence::bytes(options.capacity),
      "remember fewer clients (--persistent-clients) or give more huge pages", error_);
  if (memory.empty()) return {};
  Header& header = header_of(memory);
  header.seed = options.seed;
  header.boot_id = options.boot_id;
  header.capacity = options.capacity;
  header.magic = kMagic;
  return memory;
}

bool PersistenceFile::open(const Options& options) {
  const std::string path = options.directory + "/persistence";
  const std::span<std::byte> old = flow::map_existing(path);
  const bool readable = is_readable(old, options.boot_id);
  if (readable && header_of(old).capacity == options.capacity) {
    memory_ = old;
    table_ = make_table(memory_);
    return true;
  }
  const std::string next = path + ".new";
  memory_ = create(next, options);
  if (!memory_.empty()) {
    table_ = make_table(memory_);
    if (readable) {
      const std::unique_ptr<Persistence> before = make_table(old);
      before->each(0, before->capacity(), options.now, [&](const Persistence::Held& held) {
        table_->keep(held.client, table_->hash(held.client), held.server, held.identity,
                     Persistence::kNobody, options.now, held.seconds_left);
      });
    }
    ::rename(next.c_str(), path.c_str());
  }
  flow::unmap(old);
  return table_ != nullptr;
}

}  // namespace nezu::steer
