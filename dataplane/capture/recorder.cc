#include "dataplane/capture/recorder.h"

#include <algorithm>
#include <cstring>

#include "dataplane/parse/parse.h"

namespace nezu::capture {
namespace {

using net::Packet;
using net::Verdict;
using tables::CapturePoint;

constexpr uint64_t kFewAtOnce = net::kBurstCapacity;
constexpr uint64_t kAtOnce = 20;  ///< a bucket holds a twentieth of a second

/// Other bytes than it came with, or at another port.
bool leaves(Verdict verdict) {
  return verdict == Verdict::forward || verdict == Verdict::reply || verdict == Verdict::hold ||
         verdict == Verdict::across || verdict == Verdict::both;
}

/// With a reason of its own, whether its sender is told so or not.
bool ends_here(const Packet& packet) {
  return packet.verdict == Verdict::drop || packet.verdict == Verdict::undecided ||
         (packet.verdict == Verdict::reply && packet.reason != net::Reason::none);
}

}  // namespace

void Bucket::begin(uint64_t rate, net::Instant now) {
  rate_ = rate;
  most_ = tokens_ = std::max(rate / kAtOnce, kFewAtOnce);
  filled_ = now;
}

void Bucket::fill(net::Instant now) {
  if (now <= filled_ || rate_ == 0) return;
  constexpr uint64_t kSecond = net::kNanosecondsPerSecond;
  const uint64_t passed = now.nanoseconds - filled_.nanoseconds;
  const uint64_t more = std::min(passed, kSecond) * rate_ / kSecond;
  if (more == 0) return;
  tokens_ = std::min(tokens_ + more, most_);
  // What is left of a token's time counts for the next one.
  filled_ = passed < kSecond ? net::after(filled_, more * kSecond / rate_) : now;
}

Recorder::Recorder(const tables::Region& region, uint16_t worker, const Buffers& buffers)
    : lease_(region.header().capture),
      ring_(region.captures_of(worker)),
      line_(region.worker(worker)),
      worker_(worker),
      buffers_(buffers),
      aside_(std::make_unique_for_overwrite<uint8_t[]>(size_t{net::kBurstCapacity + 1} *
                                                       tables::kMostSnap)) {}

/// There is a lease that is not known to be over, or none any more.
void Recorder::look_up(const net::Spaces& spaces, net::Instant now) {
  const uint64_t number = lease_.number();
  if (number != 0 && number != number_) {
    on_ = false;
    number_ = lease_.read(order_);
    if (number_ == 0) return;  // being written: again next turn
    order_.snap = std::min(order_.snap, tables::kMostSnap);
    rate_.begin(order_.rate, now);
    looks_.begin(order_.looks, now);
    on_ = tables::is_sound(order_.program);
  }
  if (number == 0 || now.nanoseconds > lease_.until()) on_ = false;
  if (!on_) {
    passed_ = number;
    number_ = 0;
    return;
  }
  spaces_ = &spaces;
  now_ = now;
  looking_ = false;
  rate_.fill(now);
  looks_.fill(now);
}

net::Instance Recorder::instance_of(const Packet& parsed) const {
  return parsed.vlan == 0 ? spaces_->untagged(parsed.port)
                          : spaces_->tagged(parsed.port, parsed.vlan);
}

uint32_t Recorder::kept_of(const Packet& packet) const {
  const uint32_t there = buffers_.read != nullptr ? packet.length : packet.head_length;
  return std::min(there, order_.snap);
}

void Recorder::read(const Packet& packet, std::span<uint8_t> out) const {
  if (out.size() <= packet.head_length) {
    std::memcpy(out.data(), packet.head, out.size());
  } else {
    buffers_.read(packet, out);
  }
}

void Recorder::came(const net::Burst& burst, Origin origin) {
  origin_ = origin;
  looking_ = looks_.take(burst.count);
  if (!looking_) return line_.capture_not_looked_at.add(burst.count);
  const bool keeps_bytes = wants(CapturePoint::before) || wants(CapturePoint::drop);
  for (uint32_t i = 0; i < burst.count; ++i) {
    Packet parsed = burst.packets[i];
    parse::parse(parsed, *spaces_);
    looks_at_[i] = look_at(parsed, instance_of(parsed));
    lengths_[i] = parsed.length;
    kept_[i] = keeps_bytes ? kept_of(parsed) : 0;
    read(burst.packets[i], aside(i).first(kept_[i]));
  }
}

void Recorder::went(net::Burst& burst) {
  if (!looking_) return;
  looking_ = false;
  for (uint32_t i = 0; i < burst.count; ++i) {
    const Verdict verdict = burst.packets[i].verdict;
    if (verdict != Verdict::hand_over && verdict != Verdict::kept) show(burst.packets[i], i);
  }
}

/// The n-th of the burst, whose fate is known now.
void Recorder::show(Packet& packet, uint32_t n) {
  Seen seen;
  seen.came = &looks_at_[n];
  seen.is_dropped = ends_here(packet);
  seen.reason = packet.reason;
  const uint16_t way_out = packet.verdict == Verdict::reply || packet.verdict == Verdict::twin
                               ? packet.port
                               : packet.egress;
  Look left;
  if (leaves(packet.verdict)) {
    if (packet.sum_l4 && buffers_.settle != nullptr) buffers_.settle(packet);
    Packet parsed;
    parsed.arrive(packet.head, nullptr, packet.head_length, packet.length, 0, way_out);
    parse::parse(parsed, looks_at_[n].instance);
    left = look_at(parsed, looks_at_[n].instance);
    seen.left = &left;
  }
  if (!matches(order_.program, seen)) return;
  tables::CapturedHead head;
  head.length = lengths_[n];
  head.port = packet.port;
  head.verdict = packet.verdict;
  head.reason = packet.reason;
  const std::span<const uint8_t> as_it_came = aside(n).first(kept_[n]);
  // Once: with `before`, what became of it is told there.
  if (wants(CapturePoint::before) && origin_ == Origin::port) {
    head.point = CapturePoint::before;
    put(head, as_it_came);
  } else if (wants(CapturePoint::drop) && seen.is_dropped) {
    head.point = CapturePoint::drop;
    put(head, as_it_came);
  }
  if (wants(CapturePoint::after) && (seen.left != nullptr || packet.verdict == Verdict::twin)) {
    head.point = CapturePoint::after;
    head.port = way_out;
    put_as_is(packet, head);
  }
}

void Recorder::lost(const Packet& packet, net::Reason reason) {
  if (!wants(CapturePoint::drop)) return;
  if (!looks_.take(1)) return line_.capture_not_looked_at.add(1);
  Packet parsed = packet;
  parse::parse(parsed, *spaces_);
  const Look look = look_at(parsed, instance_of(parsed));
  if (!matches(order_.program, {&look, nullptr, true, reason})) return;
  tables::CapturedHead head;
  head.point = CapturePoint::drop;
  head.port = packet.port;
  head.verdict = Verdict::drop;
  head.reason = reason;
  put_as_is(packet, head);
}

void Recorder::put_as_is(const Packet& packet, tables::CapturedHead& head) {
  head.length = packet.length;
  const uint32_t kept = kept_of(packet);
  if (kept <= packet.head_length) return put(head, {packet.head, kept});
  const std::span<uint8_t> room = aside(net::kBurstCapacity).first(kept);
  read(packet, room);
  put(head, room);
}

void Recorder::put(tables::CapturedHead& head, std::span<const uint8_t> bytes) {
  head.number = number_;
  head.when = now_.nanoseconds;
  head.captured = static_cast<uint32_t>(bytes.size());
  head.worker = worker_;
  if (rate_.take(1) && ring_.push(head, bytes)) {
    line_.captured.add(1);
  } else {
    line_.capture_passed_over.add(1);
  }
}

}  // namespace nezu::capture
