#include "dataplane/explanations.h"

#include <algorithm>

namespace nezu::dataplane {
namespace {

constexpr uint64_t kApart = net::kNanosecondsPerSecond / 10;

tables::Explanation refusal(tables::ExplainFault fault) {
  tables::Explanation explanation;
  explanation.fault = fault;
  return explanation;
}

/// What a port does itself.
tables::Explanation dropped_by_port(uint64_t generation) {
  tables::Explanation explanation;
  explanation.generation = generation;
  explanation.pass_count = 1;
  explanation.passes[0].verdict = net::Verdict::drop;
  explanation.passes[0].reason = net::Reason::mac_other;
  return explanation;
}

}  // namespace

void Explanations::turn(const tables::View& view, const route::Routes& routes, net::Instant now) {
  if (explainer_.is_busy()) {
    if (explainer_.turn(view, routes, now)) answer(explainer_.told());
    return;
  }
  if (!has_order(now)) return;
  next_ = net::after(now, kApart);
  if (!tables::is_sound(order_)) {
    answer(refusal(tables::ExplainFault::unsound));
  } else if (order_.port >= ports_.all().size()) {
    answer(refusal(tables::ExplainFault::port_unknown));
  } else if (!is_for_us()) {
    answer(dropped_by_port(view.generation()));
  } else {
    explainer_.begin(order_);
  }
}

/// One that is new, and that somebody still waits for. A process that was here before may have
/// answered it.
bool Explanations::has_order(net::Instant now) {
  const tables::Header& header = region_.header();
  const uint64_t number = header.explain.number();
  if (number == 0 || number == number_ || now < next_) return false;
  if (header.explain.read(order_) != number) return false;
  number_ = number;
  return now.nanoseconds <= order_.until && header.explanation.number() != number;
}

/// As device::Gate receives.
bool Explanations::is_for_us() const {
  const device::Port& port = ports_.all()[order_.port];
  return ports_.lets_all_in(order_.port) || (order_.frame[0] & 1) != 0 ||
         std::equal(port.mac.bytes.begin(), port.mac.bytes.end(), order_.frame.begin());
}

void Explanations::answer(const tables::Explanation& explanation) {
  region_.header().explanation.write(number_, explanation);
}

}  // namespace nezu::dataplane
