#include "tools/captures/capture_file.h"

#include <pcap/pcap.h>

#include <algorithm>

namespace nezu::captures {
namespace {

constexpr uint32_t kLongestFrame = 65535;

std::string not_opened(const char* why) {
  return std::string("this is no pcap or pcapng file that can be read: ") + why;
}

}  // namespace

void CaptureFile::Close::operator()(pcap* file) const { pcap_close(file); }

CaptureFile::CaptureFile(pcap* file) : file_(file) {
  const int type = pcap_datalink(file);
  if (type == DLT_EN10MB) return;
  const char* name = pcap_datalink_val_to_name(type);
  error_ = "its packets are of link type " +
           (name != nullptr ? std::string(name) : std::to_string(type)) +
           ", not Ethernet: capture on one Ethernet interface, not on \"any\" and not on a tunnel";
}

CaptureFile CaptureFile::open(const std::string& path) {
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap* file =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, why);
  return file != nullptr ? CaptureFile(file) : CaptureFile(not_opened(why));
}

CaptureFile CaptureFile::open(std::FILE* stream) {
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap* file = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, why);
  if (file != nullptr) return CaptureFile(file);
  std::fclose(stream);
  return CaptureFile(not_opened(why));
}

bool CaptureFile::next(Recorded& packet) {
  if (!error_.empty()) return false;
  pcap_pkthdr* head = nullptr;
  const u_char* bytes = nullptr;
  const int got = pcap_next_ex(file_.get(), &head, &bytes);
  if (got == PCAP_ERROR_BREAK) return false;
  if (got != 1) {
    error_ =
        "it is damaged behind packet " + std::to_string(packets_) + ": " + pcap_geterr(file_.get());
    return false;
  }
  ++packets_;
  if (head->caplen > kLongestFrame || head->len > kLongestFrame) {
    error_ = "packet " + std::to_string(packets_) + " is longer than 65535 bytes: segments that " +
             "the kernel had not cut yet; capture with offloads off (ethtool -K IF tso off gso " +
             "off gro off)";
    return false;
  }
  // The precision was asked for: what is called microseconds are nanoseconds.
  const int64_t seconds = std::max<int64_t>(head->ts.tv_sec, 0);
  packet.when = static_cast<uint64_t>(seconds) * 1'000'000'000 +
                static_cast<uint64_t>(std::clamp<int64_t>(head->ts.tv_usec, 0, 999'999'999));
  packet.length = std::max(head->len, head->caplen);
  packet.bytes = {bytes, head->caplen};
  return true;
}

}  // namespace nezu::captures
