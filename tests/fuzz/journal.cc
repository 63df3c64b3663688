// Any bytes as a journal: what is found is whole, the rest is counted, and it can be appended to.
// The bytes are taken both as a file and as payloads of good records, so that the fuzzer gets past
// the sums to the records' own decoding.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "controlplane/config/store.h"

namespace {

void must(bool holds) {
  if (!holds) {
    std::abort();
  }
}

/// A folder that goes with the process.
class Folder {
 public:
  Folder() { must(::mkdtemp(name_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(name_); }
  const std::string& name() const { return name_; }

 private:
  std::string name_ = (std::filesystem::temp_directory_path() / "nezu-fuzz-XXXXXX").string();
};

const std::string& folder() {
  static const Folder kFolder;
  return kFolder.name();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nezu;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const config::Records records = config::read_records(input);
  must(records.whole_bytes + records.lost_bytes == size);

  std::filesystem::remove(folder() + "/configuration.bin");
  std::filesystem::remove(folder() + "/journal.bin");
  if (size % 2 == 0) {
    std::ofstream(folder() + "/journal.bin", std::ios::binary) << input;
  } else {
    config::write_file(folder() + "/journal.bin", {std::string(input.substr(1))});
  }
  uint64_t revision = 0;
  {
    config::Store store(folder());
    revision = store.revision();
    store.compact();
  }
  const config::Store again(folder());
  must(again.revision() == revision && again.notes().empty());
  return 0;
}
