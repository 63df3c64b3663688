// Configurations that the pages for operators show are accepted as they stand there.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "checked.h"

namespace nezu::config {
namespace {

/// What stands between "```yaml" and "```".
std::vector<std::string> configurations_in(const std::string& page) {
  static const std::string kBegin = "```yaml\n", kEnd = "```";
  std::vector<std::string> blocks;
  for (size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at)) {
    at += kBegin.size();
    const size_t end = page.find(kEnd, at);
    blocks.push_back(page.substr(at, end - at));
    at = end;
  }
  return blocks;
}

/// A page may leave out the pools and SNAT sets that it is not about.
std::string problems_of(const std::string& block) {
  std::istringstream lines(check(parse(block)).problems);
  std::string problems;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(": There is no such ") == std::string::npos) problems += line + "\n";
  }
  return problems;
}

TEST(Manual, ItsConfigurationsAreAccepted) {
  const char* manual = std::getenv("NEZU_MANUAL");  // by hand: from the root of the tree
  size_t count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(manual != nullptr ? manual : "deploy")) {
    if (file.path().extension() != ".md") continue;
    std::ostringstream page;
    page << std::ifstream(file.path()).rdbuf();
    for (const std::string& block : configurations_in(page.str())) {
      SCOPED_TRACE(file.path().filename().string() + ":\n" + block);
      EXPECT_EQ(problems_of(block), "");
      ++count;
    }
  }
  EXPECT_GE(count, 8u);
}

}  // namespace
}  // namespace nezu::config
