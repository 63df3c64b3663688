// Any line as one of an RTSP header and of SDP: what was read lies within it; every begin of a line
// that matters may matter; ports and addresses written in place of what was read are read as the
// same; an address of the other family is as long as the one it replaces.
//
// Input: the line.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dataplane/alg/rtsp.h"

namespace {

using namespace nezu;
using Kind = alg::RtspPlace::Kind;

void require(bool good, const char* what, std::string_view line) {
  if (good) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(line.size()), line.data());
  std::abort();
}

bool has_ports(const alg::RtspPlace& place) {
  return place.kind == Kind::client_port || place.kind == Kind::server_port;
}

/// The line with what was read of its places written anew.
std::string rewritten(std::string_view line, const alg::RtspTransports& read) {
  std::string said;
  size_t from = 0;
  for (uint32_t i = 0; i < read.count; ++i) {
    const alg::RtspPlace& place = read.places[i];
    require(from <= place.begin && place.begin <= place.end && place.end <= line.size(), "bounds",
            line);
    char text[64];
    alg::Writer to(text);
    if (has_ports(place)) {
      require(place.first != 0 && place.last != 0, "ports", line);
      alg::write_rtsp_ports(to, place.first, place.last, place.is_pair);
    } else if (place.is_literal) {
      to.address(place.address);
    } else {
      to.text("name");
    }
    said += line.substr(from, place.begin - from);
    said += to.view();
    from = place.end;
  }
  return said + std::string(line.substr(from));
}

void check_transports(std::string_view line, uint32_t value) {
  const alg::RtspTransports read = alg::read_rtsp_transports(line, value);
  require(read.count <= alg::RtspTransports::kMost, "count", line);
  const std::string said = rewritten(line, read);
  const alg::RtspTransports again = alg::read_rtsp_transports(said, value);
  require(again.count == read.count, "written anew", line);
  for (uint32_t i = 0; i < read.count; ++i) {
    const alg::RtspPlace &a = read.places[i], &b = again.places[i];
    require(a.kind == b.kind && a.transport == b.transport && a.first == b.first &&
                a.last == b.last && a.is_literal == b.is_literal && a.address == b.address,
            "a place", line);
  }
}

void check_connection(std::string_view line) {
  uint32_t begin = 0, end = 0;
  if (!alg::read_sdp_connection4(line, begin, end)) return;
  require(begin < end && end <= line.size(), "bounds of c=", line);
  for (size_t i = 0; i <= line.size(); ++i) {
    require(alg::may_be_sdp_connection4(line.substr(0, i)), "a begin of c=", line);
  }
  char text[32];
  alg::Writer to(text);
  alg::write_sdp_unspecified6(to, end - begin);
  require(to.fits() && to.length() == end - begin, "length of c=", line);
  const auto address = net::parse_address(to.view().substr(4));
  require(address && !address->is_v4() && address->is_unspecified(), "address of c=", line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // In a buffer of exactly its size, so that a read behind it is seen.
  const size_t length = size < alg::kMostRtspLine ? size : alg::kMostRtspLine;
  const auto text = std::make_unique<char[]>(length);
  if (length != 0) std::memcpy(text.get(), bytes, length);
  const std::string_view line(text.get(), length);
  (void)alg::is_rtsp_start(line);
  const alg::RtspHeader header = alg::read_rtsp_header(line);
  require(header.value <= line.size() && header.length <= alg::kMostRtspBody, "header", line);
  if (header.kind != alg::RtspHeader::Kind::other) {
    for (size_t i = 0; i <= line.size(); ++i) {
      require(alg::may_be_rtsp_header(line.substr(0, i)), "a begin", line);
    }
  }
  check_transports(line, header.value);
  check_connection(line);
  return 0;
}
