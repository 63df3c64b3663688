#include "tools/replay/replay.h"

#include <algorithm>
#include <cstring>

#include "dataplane/forward/pieces.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace nezu::replay {
namespace {

constexpr uint64_t kSeed = 1;
constexpr uint32_t kAnnouncements = 4096;
constexpr uint32_t kClients = 65536;  ///< of persistence, and of limits
/// As device/ leaves around a frame; the tailroom also holds replies to short ones.
constexpr uint32_t kHeadroom = 256, kTailroom = 2048;
/// A worker keeps house each turn. Here turns are a millisecond apart while packets come, and
/// fewer, each of more slices, in pauses.
constexpr uint64_t kTurn = 1'000'000, kPause = net::kNanosecondsPerSecond / 4;
constexpr uint32_t kTurnsInPause = 16;
constexpr uint64_t kMostPauses = 4000;
/// Beyond it no timeout is, and ticks would wrap.
constexpr uint64_t kLongestGap = 30ull * 24 * 3600 * net::kNanosecondsPerSecond;

/// As device/ does where a stage leaves the sum to it; nothing where the payload was cut off.
void sum_up(net::Packet& packet) {
  const uint32_t length = packet.l3 + packet.ip_length - packet.l4;
  if (packet.protocol != net::Protocol::udp || packet.l4 + length > packet.head_length) return;
  const bool v4 = packet.family == net::Family::ipv4;
  const uint32_t addresses =
      packet.l3 + (v4 ? offsetof(net::Ipv4, source) : offsetof(net::Ipv6, source));
  auto& udp = *packet.at<net::Udp>(packet.l4);
  udp.checksum = 0;
  const net::Sum pseudo = net::pseudo_header(packet.head + addresses, v4 ? 8 : 32, 17, length);
  udp.checksum.set_raw(
      net::udp_form(net::checksum_of(net::add(pseudo, packet.head + packet.l4, length))));
}

}  // namespace

struct Replay::Frame {
  Frame(std::span<const uint8_t> contents, uint32_t whole, uint16_t by, uint64_t its_number)
      : bytes(kHeadroom + contents.size() + kTailroom),
        captured(static_cast<uint32_t>(contents.size())),
        length(std::max(whole, captured)),
        port(by),
        number(its_number) {
    if (!contents.empty()) std::memcpy(head(), contents.data(), contents.size());
  }
  uint8_t* head() { return bytes.data() + kHeadroom; }

  std::vector<uint8_t> bytes;
  uint32_t captured, length;
  uint16_t port;
  uint64_t number;
  std::vector<uint8_t> as_it_came;
};

Replay::Replay(const tables::Region& region, const tables::View& view, Network& network,
               const Options& options, std::function<void(const Fate&)> told)
    : region_(region),
      view_(view),
      network_(network),
      options_(options),
      told_(std::move(told)),
      line_(region.worker(0)),
      steering_(1, kSeed),
      announcements_(1, kAnnouncements),
      calls_(1),
      persistent_(steer::Persistence::bytes(kClients)),
      persistence_(persistent_, kClients, kSeed),
      meters_(region.header().sizes.services, kClients, 1, kSeed),
      syn_guard_(region.header().sizes.services, kSeed, {}) {
  const size_t bytes = flow::Extent(options_.flows).bytes;
  memory_.resize(bytes + 64);
  void* at = memory_.data();
  size_t room = memory_.size();
  std::align(64, bytes, at, room);
  table_ = std::make_unique<flow::Table>(std::span(static_cast<std::byte*>(at), bytes),
                                         options_.flows, steering_.flow_hash(), net::to_tick(now_));
  path::Setup setup = path::setup_of(region_, 0, 1);
  setup.flows = table_.get();
  setup.steering = &steering_;
  setup.announcements = &announcements_;
  setup.calls = &calls_;
  setup.persistence = &persistence_;
  setup.meters = &meters_;
  setup.syn_guard = &syn_guard_;
  setup.line = &line_;
  setup.snat_lines = options_.snat_lines;
  setup.ports = options_.ports;
  setup.sides = options_.sides;
  path_ = std::make_unique<path::Path>(setup);
  kept_house_ = now_;
}

Replay::~Replay() = default;

void Replay::receive(const Arrival& arrival) {
  if (wall_ == 0) wall_ = arrival.when;
  const uint64_t gap = arrival.when > wall_ ? arrival.when - wall_ : 0;
  advance(net::after(at_, std::min(gap, kLongestGap)));
  wall_ += gap;
  at_ = now_;
  auto frame = std::make_unique<Frame>(arrival.bytes, arrival.length, arrival.port, arrival.number);
  frame->as_it_came.assign(arrival.bytes.begin(), arrival.bytes.end());
  const net::MacAddress& mac = options_.macs[arrival.port];
  const bool for_us = mac == net::MacAddress{} || arrival.bytes.size() < sizeof(net::Ethernet) ||
                      (arrival.bytes[0] & 1) != 0 ||
                      std::equal(mac.bytes.begin(), mac.bytes.end(), arrival.bytes.begin());
  if (!for_us) {
    line_.reasons[static_cast<size_t>(net::Reason::mac_other)].add(1);
    return tell(*frame, net::Verdict::drop, net::Reason::mac_other, arrival.port, arrival.bytes,
                arrival.length);
  }
  run(std::move(frame), By::port);
  release();
}

void Replay::pass(uint64_t nanoseconds) {
  advance(net::after(now_, std::min(nanoseconds, kLongestGap)));
}

void Replay::advance(net::Instant to) {
  const uint64_t gap = to > now_ ? to.nanoseconds - now_.nanoseconds : 0;
  const uint64_t step = std::max(kPause, gap / kMostPauses);
  while (to > now_) {
    now_ = std::min(to, net::after(now_, step));
    const uint64_t since = now_.nanoseconds - kept_house_.nanoseconds;
    if (since >= kTurn) keep_house(since >= kPause ? kTurnsInPause : 1);
  }
}

void Replay::keep_house(uint32_t turns) {
  kept_house_ = now_;
  for (uint32_t i = 0; i < turns; ++i) path_->housekeep(view_, network_.routes(), now_);
  path::Farewell farewell;
  while (path_->farewells(std::span(&farewell, 1)) == 1) {
    run(std::make_unique<Frame>(std::span(farewell.frame).first(farewell.length), farewell.length,
                                farewell.port, 0),
        By::ourselves);
  }
  release();
}

/// Fragments that need not wait any longer.
void Replay::release() {
  steer::Given given;
  while (path_->release(std::span(&given, 1)) == 1) {
    auto kept = kept_.extract(given.buffer);
    std::unique_ptr<Frame> frame = std::move(kept.mapped());
    if (given.reason == net::Reason::none) {
      run(std::move(frame), By::ring, given);
      continue;
    }
    line_.reasons[static_cast<size_t>(given.reason)].add(1);
    tell(*frame, net::Verdict::drop, given.reason, frame->port, frame->as_it_came, frame->length);
  }
}

void Replay::run(std::unique_ptr<Frame> frame, By by, const steer::Given& given) {
  burst_.count = 1;
  net::Packet& packet = burst_.packets[0];
  packet.arrive(frame->head(), frame.get(), frame->captured, frame->length,
                frame->captured + kTailroom, frame->port);
  packet.knows_ports = given.knows_ports;
  packet.ports = given.ports;
  const route::Routes& routes = network_.routes();
  switch (by) {
    case By::port:
      path_->receive(burst_, view_, routes, now_);
      break;
    case By::ring:
      path_->take(burst_, view_, routes, now_);
      break;
    case By::pieces:
      path_->resume(burst_, view_, routes, now_);
      break;
    case By::ourselves:
      path_->originate(burst_, view_, routes, now_);
      break;
  }
  end(std::move(frame), packet);
}

/// As a worker, the housekeeper and the kernel's neighbours together would.
void Replay::end(std::unique_ptr<Frame> frame, net::Packet& packet) {
  using net::Verdict;
  if (packet.sum_l4) sum_up(packet);
  const std::span<const uint8_t> leaves(packet.head, packet.head_length);
  switch (packet.verdict) {
    case Verdict::forward:
    case Verdict::across:
      return tell(*frame, packet.verdict, packet.reason, packet.egress, leaves, packet.length);
    case Verdict::reply:
      return tell(*frame, packet.verdict, packet.reason, packet.port, leaves, packet.length);
    case Verdict::kept:
      kept_.emplace(packet.buffer, std::move(frame));
      return;
    case Verdict::split: {
      const net::Packet whole = packet;  // `burst_` is used again
      return split(*frame, whole);
    }
    case Verdict::hold: {
      const route::NextHop* hop = network_.resolve(packet.awaited_in, packet.awaited);
      if (hop != nullptr && hop->write_addresses(packet.head)) {
        return tell(*frame, Verdict::forward, packet.reason, hop->port, leaves, packet.length);
      }
      line_.reasons[static_cast<size_t>(net::Reason::neighbour_unresolved)].add(1);
      return tell(*frame, Verdict::drop, net::Reason::neighbour_unresolved, frame->port,
                  frame->as_it_came, frame->length);
    }
    case Verdict::both:
      tell(*frame, Verdict::across, packet.reason, packet.egress, leaves, packet.length);
      [[fallthrough]];
    case Verdict::twin:
      return tell(*frame, Verdict::twin, packet.reason, frame->port, frame->as_it_came,
                  frame->length);
    case Verdict::drop:
    case Verdict::undecided:
    case Verdict::hand_over:
      return tell(*frame, Verdict::drop, packet.reason, frame->port, frame->as_it_came,
                  frame->length);
  }
}

/// As a worker does after each burst. What was cut off when it was recorded stays cut off.
void Replay::split(const Frame& frame, const net::Packet& packet) {
  forward::Pieces pieces(packet, packet.owner);
  for (uint32_t i = 0; i < pieces.count(); ++i) {
    const forward::Pieces::Piece piece = pieces.piece(i);
    std::vector<uint8_t> bytes(piece.headers.begin(), piece.headers.end());
    const auto headers = static_cast<uint32_t>(bytes.size());
    const uint32_t from = std::min(piece.from, packet.head_length);
    const uint32_t there = std::min(piece.length, packet.head_length - from);
    bytes.insert(bytes.end(), packet.head + from, packet.head + from + there);
    auto part = std::make_unique<Frame>(bytes, headers + piece.length, frame.port, frame.number);
    part->as_it_came = frame.as_it_came;
    run(std::move(part), By::pieces, {nullptr, packet.ports, true});
  }
}

void Replay::tell(const Frame& frame, net::Verdict verdict, net::Reason reason, uint16_t port,
                  std::span<const uint8_t> bytes, uint32_t length) {
  Fate fate;
  fate.verdict = verdict;
  fate.reason = reason;
  fate.port = port;
  fate.when = wall_ + (now_.nanoseconds - at_.nanoseconds);
  fate.number = frame.number;
  fate.length = length;
  fate.bytes = bytes;
  told_(fate);
}

}  // namespace nezu::replay
