// nezu-bad-wire: a device between two ports that does known harm to frames, and counts it. The
// analyser of nezu-traffic is right when it counts the same.
//
//   nezu-bad-wire --left net_memif0 --right net_memif1 --lose 0.01 --json FILE -- EAL arguments
//
// Only stamped frames of trials are harmed; what makes flows known, ARP and the rest pass. Ends by
// SIGTERM or SIGINT and then writes its counts, of each way.
#include <rte_cycles.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <vector>

#include "bench/generator/impairment.h"
#include "bench/generator/reading.h"
#include "bench/generator/wire.h"
#include "dataplane/device/eal.h"

namespace {

using namespace nezu;
using namespace nezu::generator;

std::atomic<bool> ending{false};
void end(int) { ending.store(true, std::memory_order_relaxed); }

struct Options {
  std::string left, right, json;
  ImpairmentOptions harm;
  double delay_us = 0, rate = 0;
  bool only_right = false;
  bool naps = false;
  std::vector<std::string> eal;
};

/// One way through the device.
class Through {
 public:
  Through(Wire& from, Wire& to, rte_mempool* pool, const ImpairmentOptions& harm)
      : from_(from), to_(to), pool_(pool), impairment_(harm) {}

  /// False when there was nothing to do.
  bool turn() {
    rte_mbuf* frames[32];
    const uint16_t count = from_.receive(frames, 32);
    // Not before: an interruption between the two would count as part of every frame's delay.
    const uint64_t now = rte_rdtsc();
    for (uint16_t i = 0; i < count; ++i) take(frames[i], now);
    // What waits for its successor does so for a while only.
    if (count != 0) {
      last_ = now;
    } else if (now - last_ > rte_get_tsc_hz() / 100) {
      impairment_.let_go(now);
    }
    bool any = count != 0;
    while (void* frame = impairment_.due(now)) {
      send(static_cast<rte_mbuf*>(frame));
      any = true;
    }
    return any;
  }
  bool empty() const { return impairment_.empty(); }
  std::string counts() const {
    return "{\"harm\": " + impairment_.counts().to_json() +
           ", \"refused\": " + std::to_string(refused_) + "}";
  }

 private:
  void take(rte_mbuf* frame, uint64_t now) {
    const std::span<const uint8_t> bytes = bytes_of(frame);
    const Reading reading = read_frame(bytes);
    if (reading.kind != Kind::stamped || reading.stamp.trial == kLearning) {
      send(frame);
      return;
    }
    const Impairment::Fate fate = impairment_.receive(frame, now);
    if (fate.dropped) {
      rte_pktmbuf_free(frame);
      return;
    }
    if (fate.damage != 0) {
      uint8_t* ip = rte_pktmbuf_mtod(frame, uint8_t*) + reading.l3;
      const uint64_t bits = uint64_t{frame->data_len - uint32_t{reading.l3}} * 8;
      const uint64_t bit = fate.damage % bits;
      ip[bit / 8] = static_cast<uint8_t>(ip[bit / 8] ^ (1u << bit % 8));
    }
    if (fate.duplicate) {
      rte_mbuf* copy = rte_pktmbuf_copy(frame, pool_, 0, UINT32_MAX);
      if (copy != nullptr) impairment_.queue_copy(copy, now);
    }
  }
  void send(rte_mbuf* frame) {
    // A frame that the next wire does not take would be harm that nobody ordered: wait for it.
    for (uint32_t i = 0; i < 2000; ++i) {
      if (to_.send(&frame, 1) == 1) return;
      ::usleep(100);
    }
    ++refused_;
    rte_pktmbuf_free(frame);
  }

  Wire& from_;
  Wire& to_;
  rte_mempool* pool_;
  Impairment impairment_;
  uint64_t last_ = 0, refused_ = 0;
};

int run(Options& options, const char* program) {
  const device::Eal eal(program, options.eal);
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  options.harm.delay = static_cast<uint64_t>(options.delay_us * hz / 1e6);
  options.harm.rate = options.rate / hz;
  rte_mempool* pool = make_pool(16383, kLongestFrame);
  int status = 0;
  {
    Wire left({options.left, 9216, 2048, 1}, pool), right({options.right, 9216, 2048, 1}, pool);
    Through to_right(left, right, pool, options.harm);
    ImpairmentOptions back = options.harm;
    back.seed += 1;
    if (options.only_right) back = ImpairmentOptions{};
    Through to_left(right, left, pool, back);
    while (!ending || !to_right.empty() || !to_left.empty()) {
      const bool there = to_right.turn(), here = to_left.turn();
      if (!there && !here && options.naps) ::usleep(50);
    }
    std::ofstream file(options.json);
    file << "{\"to_right\": " << to_right.counts() << ", \"to_left\": " << to_left.counts()
         << "}\n";
    if (!file.flush()) status = 1;
  }
  rte_mempool_free(pool);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGTERM, end);
  ::signal(SIGINT, end);
  CLI::App app{"A device that does known harm to the frames of nezu-traffic, and counts it."};
  Options options;
  app.add_option("--left", options.left, "a port, as DPDK names it")->required();
  app.add_option("--right", options.right, "the other one")->required();
  app.add_option("--json", options.json, "file for the counts")->required();
  const auto share = [&](const char* name, double& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::Range(0.0, 1.0));
  };
  share("--lose", options.harm.lose, "share of frames that are dropped");
  share("--duplicate", options.harm.duplicate, "share that is sent twice");
  share("--damage", options.harm.damage, "share in which one bit is turned over");
  share("--swap", options.harm.swap, "share that is sent after its successor");
  app.add_option("--delay", options.delay_us, "microseconds, of each frame");
  app.add_option("--rate", options.rate, "frames a second that pass each way; 0: all");
  app.add_option("--burst", options.harm.burst, "frames that may pass at once, with --rate")
      ->capture_default_str();
  app.add_option("--seed", options.harm.seed, "of chance")->capture_default_str();
  app.add_flag("--only-right", options.only_right, "does no harm to what goes to the left");
  app.add_flag("--naps", options.naps, "sleeps when there is nothing to do");
  app.footer("Arguments behind -- are DPDK's own.");
  char** const split = std::find(argv, argv + argc, std::string_view("--"));
  for (char** word = split + 1; split != argv + argc && word != argv + argc; ++word) {
    options.eal.emplace_back(*word);
  }
  CLI11_PARSE(app, static_cast<int>(split - argv), argv);
  try {
    return run(options, argv[0]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nezu-bad-wire: %s\n", error.what());
    return 1;
  }
}
