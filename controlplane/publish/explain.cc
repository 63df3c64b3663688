#include "controlplane/publish/explain.h"

#include <algorithm>
#include <thread>

#include "controlplane/publish/requests.h"

namespace nezu::publish {
namespace {

constexpr auto kPause = std::chrono::microseconds(500);
/// The data plane gives up that much earlier, so that it can still say whom it waited for.
constexpr uint64_t kLastWord = net::kNanosecondsPerSecond / 20;

}  // namespace

ExplainAnswer Explain::ask(uint16_t port, std::span<const uint8_t> frame,
                           std::chrono::milliseconds timeout) {
  ExplainAnswer answer;
  const uint64_t until = tables::boot_time().nanoseconds +
                         static_cast<uint64_t>(std::chrono::nanoseconds(timeout).count());
  const std::lock_guard turn(turn_);
  if (!data_plane_lives(region_)) return answer;
  tables::ExplainOrder order;
  order.until = until - kLastWord;
  order.port = port;
  order.length = static_cast<uint32_t>(std::min<size_t>(frame.size(), tables::kMostExplained));
  std::copy_n(frame.begin(), order.length, order.frame.begin());
  // Another life of this process may have asked before.
  last_ = std::max(last_ + 1, tables::boot_time().nanoseconds);
  tables::Header& header = region_.header();
  header.explain.write(last_, order);
  answer.answer = Answer::late;
  while (tables::boot_time().nanoseconds < until) {
    if (header.explanation.number() != last_ ||
        header.explanation.read(answer.explanation) != last_) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    answer.answer = tables::is_sound(answer.explanation) ? Answer::complete : Answer::refused;
    break;
  }
  return answer;
}

}  // namespace nezu::publish
