#include "bench/generator/mix.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <map>
#include <numeric>
#include <stdexcept>

#include "bench/generator/stamp.h"

namespace nezu::generator {
namespace {

constexpr uint32_t kLeast = 64, kMostFrames = 65536;
const std::map<char, uint32_t> kLetters = {{'a', 64},   {'b', 128},  {'c', 256},  {'d', 512},
                                           {'e', 1024}, {'f', 1280}, {'g', 1518}, {'h', 2112},
                                           {'i', 9000}, {'j', 16000}};

/// What is no printable character would cut or disturb the sentence.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter < ' ' || letter > '~') letter = '?';
  }
  return out;
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument("mix \"" + printable(text) + "\": " + printable(why));
}

uint32_t size_of(std::string_view text, std::string_view number) {
  uint32_t size = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), size);
  if (number.empty() || read.ptr != number.data() + number.size() || read.ec != std::errc{}) {
    refuse(text, "\"" + std::string(number) + "\" is not a size");
  }
  if (size < kLeast || size > kLongestFrame) {
    refuse(text, "a frame has " + std::to_string(kLeast) + " to " + std::to_string(kLongestFrame) +
                     " bytes, not " + std::to_string(size));
  }
  return size;
}

/// From the sizes of all frames in order.
Mix from_sequence(std::string name, const std::vector<uint32_t>& sequence) {
  Mix mix;
  mix.name = std::move(name);
  mix.sizes = sequence;
  std::sort(mix.sizes.begin(), mix.sizes.end());
  mix.sizes.erase(std::unique(mix.sizes.begin(), mix.sizes.end()), mix.sizes.end());
  if (mix.sizes.size() > kMostSizes) {
    refuse(mix.name, "at most " + std::to_string(kMostSizes) + " sizes");
  }
  for (const uint32_t size : sequence) {
    const auto at = std::lower_bound(mix.sizes.begin(), mix.sizes.end(), size);
    mix.pattern.push_back(static_cast<uint8_t>(at - mix.sizes.begin()));
  }
  return mix;
}

/// "A=98,B=300" in front of the colon.
std::map<char, uint32_t> own_letters(std::string_view text, std::string_view list) {
  std::map<char, uint32_t> own;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view one = list.substr(0, comma);
    if (one.size() < 3 || one[1] != '=' || one[0] < 'A' || one[0] > 'Z') {
      refuse(text, "sizes of one's own are written A=98,B=300: in front");
    }
    own[one[0]] = size_of(text, one.substr(2));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return own;
}

Mix parse_genome(std::string_view text, uint32_t mtu_frame) {
  std::map<char, uint32_t> letters = kLetters;
  letters['z'] = mtu_frame;
  std::string_view genome = text;
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    letters.merge(own_letters(text, text.substr(0, colon)));
    genome = text.substr(colon + 1);
  }
  std::vector<uint32_t> sequence;
  size_t repeat = 0;
  bool counted = false;
  for (const char letter : genome) {
    if (std::isdigit(static_cast<unsigned char>(letter)) != 0) {
      repeat = repeat * 10 + static_cast<size_t>(letter - '0');
      counted = true;
      if (repeat > kMostFrames) refuse(text, "at most 65536 frames");
      continue;
    }
    const auto size = letters.find(letter);
    if (size == letters.end()) refuse(text, std::string("no size is called '") + letter + "'");
    if (counted && repeat == 0) refuse(text, "a letter is repeated once or more");
    sequence.insert(sequence.end(), counted ? repeat : 1, size->second);
    if (sequence.size() > kMostFrames) refuse(text, "at most 65536 frames");
    repeat = 0;
    counted = false;
  }
  if (counted) refuse(text, "a number stands in front of a letter");
  if (sequence.empty()) refuse(text, "it has no frames");
  return from_sequence(std::string(text), sequence);
}

}  // namespace

double Mix::mean() const {
  double sum = 0;
  for (const uint8_t size : pattern) sum += sizes[size];
  return pattern.empty() ? 0 : sum / static_cast<double>(pattern.size());
}

Mix single(uint32_t size) { return from_sequence(std::to_string(size), {size}); }

// Each size has its turns at even distances; who is most behind its share comes next.
Mix proportional(std::string name, const std::vector<std::pair<uint32_t, uint32_t>>& counts) {
  uint32_t all = 0;
  for (const auto& [size, count] : counts) all += count;
  std::vector<uint32_t> given(counts.size()), sequence;
  for (uint32_t turn = 1; turn <= all; ++turn) {
    size_t next = 0;
    int64_t most = INT64_MIN;
    for (size_t i = 0; i < counts.size(); ++i) {
      const int64_t behind = int64_t{counts[i].second} * turn - int64_t{given[i]} * all;
      if (given[i] < counts[i].second && behind > most) most = behind, next = i;
    }
    ++given[next];
    sequence.push_back(counts[next].first);
  }
  return from_sequence(std::move(name), sequence);
}

Mix parse_mix(std::string_view text, uint32_t mtu_frame) {
  if (text == "simple" || text == "simple-ip") {
    return proportional(std::string(text), {{64, 7}, {594, 4}, {1518, 1}});
  }
  if (text == "csit") return proportional("csit", {{64, 28}, {570, 16}, {1518, 4}});
  const bool is_number = !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return std::isdigit(static_cast<unsigned char>(letter)) != 0;
  });
  if (is_number) return single(size_of(text, text));
  return parse_genome(text, mtu_frame);
}

std::vector<std::pair<uint32_t, uint32_t>> ip_counts(std::string_view name) {
  if (name == "simple-ip") return {{40, 7}, {576, 4}, {1500, 1}};
  return {};
}

std::vector<Share> shares_of(const std::vector<std::pair<uint32_t, uint32_t>>& counts) {
  std::vector<Share> all;
  uint64_t frames = 0, bytes = 0;
  for (const auto& [size, count] : counts) {
    all.push_back({size, count, uint64_t{size} * count, 0, 0});
    frames += count;
    bytes += uint64_t{size} * count;
  }
  for (Share& share : all) {
    share.frames = static_cast<double>(share.count) / static_cast<double>(frames);
    share.bandwidth = static_cast<double>(share.bytes) / static_cast<double>(bytes);
  }
  return all;
}

std::vector<Share> shares(const Mix& mix) {
  std::vector<std::pair<uint32_t, uint32_t>> counts;
  for (size_t i = 0; i < mix.sizes.size(); ++i) {
    const auto count = std::count(mix.pattern.begin(), mix.pattern.end(), static_cast<uint8_t>(i));
    counts.emplace_back(mix.sizes[i], static_cast<uint32_t>(count));
  }
  return shares_of(counts);
}

std::string arithmetic(const std::vector<Share>& shares) {
  std::string text;
  uint64_t bytes = 0;
  for (const Share& share : shares) {
    char part[96];
    std::snprintf(part, sizeof part, "%s%u x %u = %llu B (%.3f %%)", text.empty() ? "" : ", ",
                  share.count, share.size, static_cast<unsigned long long>(share.bytes),
                  100 * share.bandwidth);
    text += part;
    bytes += share.bytes;
  }
  return text + " of " + std::to_string(bytes) + " B";
}

}  // namespace nezu::generator
