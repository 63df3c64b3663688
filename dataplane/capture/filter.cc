#include "dataplane/capture/filter.h"

namespace nezu::capture {
namespace {

using tables::CaptureOp;
using tables::CaptureStep;

/// Of the frame as it came or as it leaves.
template <typename Question>
bool of_frame(const Seen& seen, Question question) {
  return question(*seen.came) || (seen.left != nullptr && question(*seen.left));
}

/// Of its IP packet, or of the one that it quotes.
template <typename Question>
bool of_packet(const Seen& seen, Question question) {
  return of_frame(seen, [&question](const Look& look) {
    return (look.outer.version != 0 && question(look.outer)) ||
           (look.inner.version != 0 && question(look.inner));
  });
}

/// Of its source or its destination.
template <typename Question>
bool of_side(const CaptureStep& step, const Seen& seen, Question question) {
  return of_packet(seen, [&](const Headers& headers) {
    return ((step.sides & tables::kOfSource) != 0 &&
            question(headers, headers.source, headers.source_port)) ||
           ((step.sides & tables::kOfDestination) != 0 &&
            question(headers, headers.destination, headers.destination_port));
  });
}

/// As net::masked would say; this is asked of every packet that is looked at.
bool is_in(const CaptureStep& step, const net::Address& address) {
  const auto differs = [&](size_t at) {
    return __builtin_bswap64(net::load<uint64_t>(&address.bytes[at]) ^
                             net::load<uint64_t>(&step.address.bytes[at]));
  };
  if (step.host_bits >= 64)
    return step.host_bits == 128 || differs(0) >> (step.host_bits - 64) == 0;
  return differs(0) == 0 && differs(8) >> step.host_bits == 0;
}

bool holds(const CaptureStep& step, const Seen& seen) {
  switch (step.op) {
    case CaptureOp::network:
      return of_side(step, seen, [&](const Headers&, const net::Address& address, uint16_t) {
        return is_in(step, address);
      });
    case CaptureOp::ports:
      return of_side(step, seen, [&](const Headers& headers, const net::Address&, uint16_t port) {
        return headers.has_ports && step.first <= port && port <= step.last;
      });
    case CaptureOp::protocol:
      return of_packet(seen, [&](const Headers& headers) {
        return static_cast<uint16_t>(headers.protocol) == step.first;
      });
    case CaptureOp::version:
      return of_frame(seen, [&](const Look& look) {
        return look.outer.version != 0 && look.outer.version == step.first;
      });
    case CaptureOp::arp:
      return of_frame(seen, [](const Look& look) { return look.is_arp; });
    case CaptureOp::vlan:
      return of_frame(seen, [&](const Look& look) { return look.vlan == step.first; });
    case CaptureOp::instance:
      return of_frame(seen, [&](const Look& look) {
        return static_cast<uint16_t>(look.instance) == step.first;
      });
    case CaptureOp::interface:
      return of_frame(seen, [&](const Look& look) { return look.interface == step.first; });
    case CaptureOp::tcp_flags:
      return of_frame(seen, [&](const Look& look) { return (look.tcp_flags & step.first) != 0; });
    case CaptureOp::dropped:
      return seen.is_dropped;
    case CaptureOp::reason:
      return static_cast<uint16_t>(seen.reason) == step.first;
    case CaptureOp::both:
    case CaptureOp::either:
    case CaptureOp::negation:
      break;
  }
  return false;
}

}  // namespace

bool matches(const tables::CaptureProgram& program, const Seen& seen) {
  if (program.count == 0) return true;
  static_assert(tables::kMostCaptureSteps <= 64, "a truth is a bit of the stack");
  uint64_t stack = 0;
  for (const CaptureStep& step : program.all()) {
    const uint64_t below = stack >> 1;
    if (step.op == CaptureOp::both) {
      stack = (below & ~uint64_t{1}) | (stack & below & 1);
    } else if (step.op == CaptureOp::either) {
      stack = below | (stack & 1);
    } else if (step.op == CaptureOp::negation) {
      stack ^= 1;
    } else {
      stack = stack << 1 | (holds(step, seen) ? 1u : 0u);
    }
  }
  return (stack & 1) != 0;
}

}  // namespace nezu::capture
