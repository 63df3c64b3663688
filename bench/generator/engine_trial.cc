// A trial: both ways' frames at their times, what came back, the ports' own counters.
#include <rte_cycles.h>

#include <algorithm>
#include <stdexcept>

#include "bench/generator/bounce.h"
#include "bench/generator/engine.h"
#include "bench/generator/pacer.h"
#include "dataplane/net/hash.h"

namespace nezu::generator {
namespace {

constexpr uint16_t kBurst = 32;
/// Frames that are made up for after a pause: fewer than any ring holds.
constexpr uint64_t kMostOverdue = 512;
/// A pause after which a trial that fell short is nobody's fault but the machine's.
constexpr double kPause = 0.001;
/// The same as bench/path's: beyond it, the cores are far apart.
constexpr double kSlow = 1.5;
constexpr double kUnpaced = 1e12;
/// At links of virtual wires, where a change may take the other end away.
constexpr double kSecondsBetweenLooks = 0.05;

}  // namespace

/// What is sent one way.
struct Engine::Stream {
  Way way;
  Wire& wire;
  const std::vector<Headers>& headers;
  std::vector<Body> bodies;  ///< of each size
  const TrialPlan& plan;
  const Servers& servers;
  Pacer pacer;
  bool waits;
  bool random;
  uint64_t seed;  ///< of what is drawn
  uint8_t trial;

  std::array<uint32_t, kMostSizes> numbers{};
  size_t at = 0;  ///< in the pattern
  size_t flow = 0;
  uint64_t written = 0;  ///< frames
  std::array<rte_mbuf*, kBurst> pending{};
  uint16_t pending_count = 0;
  uint64_t last = 0;  ///< when something was offered

  size_t next_flow() {
    if (random) return draw(++written);
    ++written;
    const size_t next = flow;
    if (++flow == headers.size()) flow = 0;
    return next;
  }
  size_t draw(uint64_t number) const {
    return (nezu::net::mix64(seed + number) >> 32) * headers.size() >> 32;
  }
  /// Of the frame that is written as the n-th, from 0.
  size_t flow_of(uint64_t frame) const { return random ? draw(frame + 1) : frame % headers.size(); }
  /// Of plans with one size: which frame it was, whose number wraps.
  uint64_t frame_of(uint32_t number) const {
    return written - static_cast<uint32_t>(static_cast<uint32_t>(written) - number);
  }
  /// What comes next would be said by a server that is mute.
  bool is_silent() const {
    return plan.answers_follow && way == Way::to_left && servers.is_silent(flow_of(written));
  }

  uint64_t left() const {
    return plan.frames == 0 ? kBurst : plan.frames - std::min(plan.frames, pacer.taken());
  }

  /// True when something was due.
  bool send(uint64_t now, rte_mempool* pool, Analyser& analyser) {
    if (pending_count == 0) {
      const auto most = static_cast<uint32_t>(std::min<uint64_t>(left(), kBurst));
      const uint32_t due = most == 0 ? 0 : pacer.take(now, most);
      if (due == 0) return false;
      if (rte_pktmbuf_alloc_bulk(pool, pending.data(), due) != 0) {
        // The other end holds all buffers: as good as a full wire.
        for (uint32_t i = 0; i < due; ++i) {
          const uint8_t group = write(nullptr);
          analyser.note_sent(group, 1);
          analyser.note_refused(group, 1);
        }
        return true;
      }
      fill(due, analyser);
      last = now;
    }
    const uint16_t taken = wire.send(pending.data(), pending_count);
    if (taken == pending_count) {
      pending_count = 0;
      return true;
    }
    if (waits) {
      std::move(pending.begin() + taken, pending.begin() + pending_count, pending.begin());
      pending_count = static_cast<uint16_t>(pending_count - taken);
      return true;
    }
    for (uint16_t i = taken; i < pending_count; ++i) {
      analyser.note_refused(group_in(pending[i]), 1);
      rte_pktmbuf_free(pending[i]);
    }
    pending_count = 0;
    return true;
  }

  /// What is due, into buffers of which there are enough. What a mute server does not say is lost.
  void fill(uint32_t due, Analyser& analyser) {
    for (uint32_t i = 0; i < due; ++i) {
      const bool silent = is_silent();
      const uint8_t group = write(silent ? nullptr : pending[pending_count++]);
      analyser.note_sent(group, 1);
      if (silent) analyser.note_silent(group, 1);
    }
    rte_pktmbuf_free_bulk(&pending[pending_count], due - pending_count);
  }

  /// The next frame of the mix, in its group's order; its group. Null: only its number is used up.
  uint8_t write(rte_mbuf* frame) {
    const uint8_t size = plan.mix.pattern[at];
    if (++at == plan.mix.pattern.size()) at = 0;
    const Headers& flow_headers = headers[next_flow()];
    const Stamp stamp{trial, group_of(way, size), numbers[size]++, rte_rdtsc()};
    if (frame != nullptr) {
      write_frame(rte_pktmbuf_mtod(frame, uint8_t*), flow_headers, bodies[size], stamp);
      frame->data_len = static_cast<uint16_t>(bodies[size].frame);
      frame->pkt_len = bodies[size].frame;
    }
    return stamp.group;
  }
  uint8_t group_in(const rte_mbuf* frame) const {
    return rte_pktmbuf_mtod(frame, const uint8_t*)[headers[0].length + 3];
  }
  /// What could not be sent before the end was never offered.
  uint64_t give_up(Analyser& analyser) {
    const uint64_t count = pending_count;
    for (uint16_t i = 0; i < pending_count; ++i) {
      analyser.note_sent(group_in(pending[i]), ~uint64_t{0});
      rte_pktmbuf_free(pending[i]);
    }
    pending_count = 0;
    return count;
  }
};

TrialResult Engine::run_once(const TrialPlan& plan) {
  TrialResult result;
  result.plan = plan;
  trial_ = static_cast<uint8_t>(trial_ == 255 ? 1 : trial_ + 1);
  result.number = trial_;
  progress_.begin(plan.purpose, plan.seconds);
  idle_for(options_.pause);
  if (options_.bounce_core >= 0) {
    result.bounce_ns = bounce_nanoseconds(options_.bounce_core, hz_);
  }
  std::vector<uint32_t> sizes[2];
  std::vector<Stream> streams;
  const uint64_t start = rte_rdtsc() + cycles(0.001);
  for (const Way way : {Way::to_right, Way::to_left}) {
    if (!(way == Way::to_right ? plan.to_right : plan.to_left)) continue;
    const std::vector<Headers>& headers = headers_[static_cast<size_t>(way)];
    if (headers.empty()) throw std::runtime_error("answers cannot be sent before flows are known");
    Wire& wire = *side(way).wire;
    std::vector<Body> bodies;
    for (const uint32_t size : plan.mix.sizes) {
      const uint32_t own =
          way == Way::to_right
              ? size
              : static_cast<uint32_t>(static_cast<int32_t>(size) + longer_on_right());
      if (own < generator::least_size(headers[0]) || own > options_.longest) {
        throw std::runtime_error("frames of " + std::to_string(own) + " bytes cannot be sent: " +
                                 std::to_string(generator::least_size(headers[0])) + " to " +
                                 std::to_string(options_.longest));
      }
      sizes[static_cast<size_t>(way)].push_back(own);
      bodies.push_back(make_body(headers[0], own));
    }
    const bool waits = options_.refused == Refused::wait ||
                       (options_.refused == Refused::automatic && !wire.is_virtual());
    streams.push_back({way, wire, headers, std::move(bodies), plan, servers_,
                       Pacer(plan.rate == 0 ? kUnpaced : plan.rate, hz_, start,
                             plan.rate == 0 ? kBurst : kMostOverdue),
                       waits, options_.random_flows, options_.seed * 1000 + trial_, trial_});
  }
  analyser_.begin(trial_, sizes[0], sizes[1]);
  if (plan.answers_follow && plan.to_right && plan.mix.sizes.size() == 1) {
    flow_of_ = [&right = streams.front()](uint32_t number) {
      return right.flow_of(right.frame_of(number));
    };
  }
  WireCounters before, after;
  const auto count = [&](WireCounters& counters) {
    for (const auto& wire : wires_) {
      const WireCounters one = wire->counters();
      counters.received += one.received;
      counters.sent += one.sent;
      counters.missed += one.missed;
    }
  };
  count(before);
  const uint64_t end = start + cycles(plan.seconds);
  uint64_t now = rte_rdtsc(), longest = 0, turn = 0;
  const auto goes_on = [&] {
    if (plan.frames != 0) {
      return std::any_of(streams.begin(), streams.end(), [](const Stream& stream) {
        return stream.left() != 0 || stream.pending_count != 0;
      });
    }
    if (now < end) return true;
    return plan.until && !plan.until();
  };
  uint64_t offered = 0, asked_links = now;
  while (goes_on()) {
    uint32_t came = 0;
    for (const auto& wire : wires_) came += receive(*wire);
    bool any = false;
    for (Stream& stream : streams) {
      any |= stream.send(rte_rdtsc(), pool_, analyser_);
    }
    any |= send_segments(now);
    if (came == 0 && !any) idle();
    if (plan.until && now > asked_links + cycles(kSecondsBetweenLooks)) {
      for (const auto& wire : wires_) wire->reconnect();
      asked_links = now;
    }
    if ((++turn & 0x3ff) == 0) {
      offered = 0;
      for (const Stream& stream : streams) offered += stream.pacer.taken();
      progress_.note(offered, analyser_.delivered());
    }
    const uint64_t then = rte_rdtsc();
    longest = std::max(longest, then - now);
    now = then;
  }
  uint64_t last = start;
  for (Stream& stream : streams) {
    result.skipped += stream.give_up(analyser_) + (plan.rate == 0 ? 0 : stream.pacer.skipped());
    last = std::max(last, stream.last);
  }
  result.seconds = static_cast<double>((plan.frames != 0 ? last : now) - start) / hz_;
  result.longest_pause = static_cast<double>(longest) / hz_;
  idle_for(options_.wait);
  count(after);
  // A virtual port begins anew when its other end came back.
  const auto more = [](uint64_t now_counted, uint64_t counted) {
    return now_counted >= counted ? now_counted - counted : now_counted;
  };
  result.port_sent = more(after.sent, before.sent);
  result.port_received = more(after.received, before.received);
  result.port_missed = more(after.missed, before.missed);
  if (options_.bounce_core >= 0) {
    result.bounce_ns = std::max(result.bounce_ns, bounce_nanoseconds(options_.bounce_core, hz_));
    if (shortest_bounce_ == 0) shortest_bounce_ = result.bounce_ns;
    shortest_bounce_ = std::min(shortest_bounce_, result.bounce_ns);
    result.slow = result.bounce_ns > kSlow * shortest_bounce_;
  }
  flow_of_ = nullptr;
  analyser_.fill(result);
  return result;
}

TrialResult Engine::run(const TrialPlan& plan) {
  TrialResult result;
  uint32_t repeated = 0;
  for (;; ++repeated) {
    result = recording_.empty() ? run_once(plan) : flood_once(plan);
    const bool excused = result.slow || (result.is_short() && result.longest_pause > kPause);
    if (!excused || repeated == options_.retries || plan.until) break;
    progress_.say(plan.purpose + (result.slow ? ": left out, the cores are far apart just now"
                                              : ": left out, the machine paused this program"));
  }
  result.repeated = repeated;
  if (recorder_) recorder_(result);
  return result;
}

}  // namespace nezu::generator
