#include "dataplane/tables/capture.h"

namespace nezu::tables {

bool is_sound(const CaptureProgram& program) {
  if (program.count == 0) return true;
  if (program.count > kMostCaptureSteps) return false;
  uint32_t truths = 0;
  for (const CaptureStep& step : program.all()) {
    switch (step.op) {
      case CaptureOp::network:
        if (step.host_bits > 128) return false;
        [[fallthrough]];
      case CaptureOp::ports:
      case CaptureOp::protocol:
      case CaptureOp::version:
      case CaptureOp::arp:
      case CaptureOp::vlan:
      case CaptureOp::instance:
      case CaptureOp::interface:
      case CaptureOp::tcp_flags:
      case CaptureOp::dropped:
      case CaptureOp::reason:
        ++truths;
        break;
      case CaptureOp::both:
      case CaptureOp::either:
        if (truths < 2) return false;
        --truths;
        break;
      case CaptureOp::negation:
        if (truths < 1) return false;
        break;
      default:  // a number that is no step
        return false;
    }
  }
  return truths == 1;
}

}  // namespace nezu::tables
