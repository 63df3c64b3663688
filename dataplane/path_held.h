// Within the path: lines that wait here (path_lines.cc).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/flow/entry.h"

namespace nezu::path {

/// Lines that have begun and wait for their end: they were acknowledged to their sender, and will
/// not come again. Or what a change puts that nobody could say again the same way, until its
/// receiver has it (`is_whole`). A fixed number; lost when the process ends.
class HeldLines {
 public:
  static constexpr uint32_t kLines = 64, kMostText = 1024;
  struct Line {
    uint32_t length = 0;
    bool is_whole = false;             ///< it stands for a change now
    std::array<char, kMostText> text;  // NOLINT: filled up to `length`
    std::string_view view() const { return {text.data(), length}; }
  };

  Line* find(flow::FlowId stream) {
    for (uint32_t i = 0; i < kLines; ++i) {
      if (streams_[i] == stream.word()) return &lines_[i];
    }
    return nullptr;
  }
  /// Null: all are taken.
  Line* take(flow::FlowId stream) {
    for (uint32_t i = 0; i < kLines; ++i) {
      if (streams_[i] != net::kNoFlow) continue;
      streams_[i] = stream.word();
      lines_[i].length = 0;
      lines_[i].is_whole = false;
      return &lines_[i];
    }
    return nullptr;
  }
  void drop(flow::FlowId stream) {
    for (uint32_t& one : streams_) {
      if (one == stream.word()) one = net::kNoFlow;
    }
  }

  /// Its receiver has what it puts.
  void drop_whole(flow::FlowId stream) {
    const Line* line = find(stream);
    if (line != nullptr && line->is_whole) drop(stream);
  }

 private:
  std::array<uint32_t, kLines> streams_ = [] {
    std::array<uint32_t, kLines> none;
    none.fill(net::kNoFlow);
    return none;
  }();
  std::array<Line, kLines> lines_;  // NOLINT: those that are taken
};

}  // namespace nezu::path
