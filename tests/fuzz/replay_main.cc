// Runs a fuzz target over the files of its corpora: how every build without libFuzzer links one.
//
//   fuzz_parse DIRECTORY...
//
// Each file's bytes lie in a buffer of exactly their size, so that a sanitizer sees a read beyond
// them. An empty corpus is an error: a test that ran nothing must not be green.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace {

void replay(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(stream), {}};
  const auto exact = std::make_unique<uint8_t[]>(content.size());
  std::copy(content.begin(), content.end(), exact.get());
  LLVMFuzzerTestOneInput(exact.get(), content.size());
}

}  // namespace

int main(int count, char** arguments) {
  size_t files = 0;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(arguments[i])) {
      std::fprintf(stderr, "%s: not a directory\n", arguments[i]);
      return 1;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++files;
    }
  }
  if (files == 0) {
    std::fprintf(stderr, "no file to replay; usage: %s CORPUS...\n", arguments[0]);
    return 1;
  }
  std::printf("replayed %zu inputs\n", files);
  return 0;
}
