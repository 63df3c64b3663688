// Any line as an FTP command and as a reply: what was read lies within it; every begin of a line
// that matters may matter; what is written in its place is read as the same.
//
// Input: the line.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dataplane/alg/ftp.h"

namespace {

using namespace nezu;
using Kind = alg::FtpLine::Kind;

void require(bool good, const char* what, std::string_view line) {
  if (good) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(line.size()), line.data());
  std::abort();
}

/// The line with what was read written anew.
std::string rewritten(std::string_view line, const alg::FtpLine& read, alg::FtpForm form) {
  char text[alg::kMostFtpText];
  const uint32_t length = alg::write_ftp(form, read.delimiter, read.address, read.port, text);
  require(length <= alg::kMostFtpText, "too long", line);
  return std::string(line.substr(0, read.begin)) + std::string(text, length) +
         std::string(line.substr(read.end));
}

void check(std::string_view line, bool is_command) {
  const auto reads = is_command ? alg::read_ftp_command : alg::read_ftp_reply;
  const alg::FtpLine read = reads(line);
  if (read.kind == Kind::other) return;
  for (size_t i = 0; i <= line.size(); ++i) {
    // "PORT" alone is broken, and what follows it at once makes it another word.
    const bool alone = i > 4 && read.kind == Kind::broken;
    require(alone || alg::may_matter(line.substr(0, i), is_command), "a begin", line);
  }
  if (read.kind != Kind::active && read.kind != Kind::waits && read.kind != Kind::waits_here)
    return;
  require(read.begin < read.end && read.end <= line.size(), "bounds", line);
  const alg::FtpForm form = read.kind == Kind::waits_here ? alg::FtpForm::port
                            : read.is_extended            ? alg::FtpForm::triple
                                                          : alg::FtpForm::numbers;
  const alg::FtpLine again = reads(rewritten(line, read, form));
  require(again.kind == read.kind && again.port == read.port &&
              (read.kind == Kind::waits_here || again.address == read.address),
          "written anew", line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // In a buffer of exactly its size, so that a read behind it is seen.
  const size_t length = size < 300 ? size : 300;
  const auto line = std::make_unique<char[]>(length);
  if (length != 0) std::memcpy(line.get(), bytes, length);
  check({line.get(), length}, true);
  check({line.get(), length}, false);
  return 0;
}
