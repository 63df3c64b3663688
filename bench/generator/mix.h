// Mixes of frame sizes: how they are written, what they add up to.
//
// Any thread; allocates. Sizes are of Ethernet frames with FCS. A mix is a sequence that is
// repeated (RFC 6985 3): the same frames in the same order, each time.
//
// Notation of RFC 6985 4: a letter for each frame, a 64, b 128, c 256, d 512, e 1024, f 1280,
// g 1518, h 2112, i 9000, j 16000, z the MTU's own; capital letters are sizes of one's own, said in
// front: "A=98,B=300:AAAb". A number in front of a letter repeats it ("7a4d1g"): ours, for short.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nezu::generator {

struct Mix {
  std::string name;
  std::vector<uint32_t> sizes;   ///< each once, ascending
  std::vector<uint8_t> pattern;  ///< which of them, in order
  double mean() const;
};

Mix single(uint32_t size);
/// Counts of sizes, spread evenly over the sequence: of 7:4:1 no two large ones stand together.
Mix proportional(std::string name, const std::vector<std::pair<uint32_t, uint32_t>>& counts);

/// Of a name ("simple", "simple-ip", "csit" as below), of RFC 6985's notation, or of one size
/// ("512"). `mtu_frame`: what z stands for. Throws std::invalid_argument with a sentence.
///
///   simple     7:4:1 of frames of 64, 594 and 1518 bytes
///   simple-ip  7:4:1 of IP packets of 40, 576 and 1500 bytes: frames of 64 (58 and padding: the
///              least Ethernet takes), 594 and 1518
///   csit       28:16:4 of frames of 64, 570 and 1518 bytes
Mix parse_mix(std::string_view text, uint32_t mtu_frame);

/// What each size is of all, for people and for the report.
struct Share {
  uint32_t size = 0;     ///< bytes, as the mix counts them
  uint32_t count = 0;    ///< in one turn of the sequence
  uint64_t bytes = 0;    ///< count * size
  double frames = 0;     ///< share of frames, 0 to 1
  double bandwidth = 0;  ///< share of bytes, 0 to 1
};
std::vector<Share> shares(const Mix& mix);
/// The same for IP packets: simple-ip's 40, 576 and 1500 are 6.856 %, 56.415 % and 36.729 %.
std::vector<Share> shares_of(const std::vector<std::pair<uint32_t, uint32_t>>& counts);
/// "7 x 40 = 280 B (6.856 %), 4 x 576 = 2304 B (56.415 %), ... of 4084 B".
std::string arithmetic(const std::vector<Share>& shares);

/// IP packets of a named mix, empty where it is given as frames.
std::vector<std::pair<uint32_t, uint32_t>> ip_counts(std::string_view name);

}  // namespace nezu::generator
