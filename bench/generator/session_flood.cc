// Floods: frames of a recording at a given rate, or as fast as the port takes them.
#include <algorithm>
#include <stdexcept>

#include "bench/generator/rate.h"
#include "bench/generator/session.h"
#include "tools/captures/capture_file.h"

namespace nezu::generator {
namespace {

/// Ethernet's least, without FCS.
constexpr size_t kLeastFrame = 60;

std::vector<std::vector<uint8_t>> frames_of(const std::string& path, size_t longest) {
  if (path.empty()) throw std::runtime_error("flood: --recording is missing");
  auto file = captures::CaptureFile::open(path);
  std::vector<std::vector<uint8_t>> frames;
  captures::Recorded one;
  while (file.error().empty() && file.next(one)) {
    if (one.bytes.size() != one.length || one.length > longest) {
      throw std::runtime_error(path + ": frame " + std::to_string(frames.size() + 1) +
                               " was cut off when it was recorded, or is longer than " +
                               std::to_string(longest) + " bytes");
    }
    frames.emplace_back(one.bytes.begin(), one.bytes.end());
    frames.back().resize(std::max(frames.back().size(), kLeastFrame));
  }
  if (!file.error().empty()) throw std::runtime_error(path + ": " + file.error());
  if (frames.empty()) throw std::runtime_error(path + ": there is no frame in it");
  return frames;
}

}  // namespace

void Session::flood() {
  auto frames = frames_of(options_.recording, options_.engine.longest - kFcsBytes);
  const auto longest = std::max_element(frames.begin(), frames.end(),
                                        [](auto& a, auto& b) { return a.size() < b.size(); });
  const Mix mix = single(static_cast<uint32_t>(longest->size() + kFcsBytes));
  engine_.set_recording(std::move(frames));
  note(
      "A flood counts as delivered what the device took from the wire; what it made of it, its "
      "own counters say.");
  trial(mix);
}

}  // namespace nezu::generator
