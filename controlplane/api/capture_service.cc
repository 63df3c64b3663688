#include "controlplane/api/capture_service.h"

#include <google/protobuf/util/time_util.h>

#include <thread>

#include "controlplane/api/errors.h"
#include "controlplane/compile/capture_filter.h"
#include "controlplane/config/validate.h"

namespace nezu::api {
namespace {

using google::protobuf::util::TimeUtil;
using grpc::Status;
using grpc::StatusCode;
using Clock = std::chrono::steady_clock;

constexpr auto kPause = std::chrono::milliseconds(20);
constexpr auto kHeartbeat = std::chrono::milliseconds(200);
constexpr size_t kMostBytes = 1 << 20;  ///< of packets in a message
constexpr uint32_t kUsualRate = 10'000, kUsualLooks = 500'000;

}  // namespace

v1::CaptureFate fate_of(net::Verdict verdict) {
  switch (verdict) {
    case net::Verdict::forward:
      return v1::CAPTURE_FATE_FORWARDED;
    case net::Verdict::reply:
      return v1::CAPTURE_FATE_ANSWERED;
    case net::Verdict::twin:
      return v1::CAPTURE_FATE_TO_KERNEL;
    case net::Verdict::across:
    case net::Verdict::both:
      return v1::CAPTURE_FATE_BRIDGED;
    case net::Verdict::hold:
      return v1::CAPTURE_FATE_WAITED;
    case net::Verdict::split:
      return v1::CAPTURE_FATE_SPLIT;
    case net::Verdict::drop:
    case net::Verdict::undecided:
      return v1::CAPTURE_FATE_DROPPED;
    case net::Verdict::kept:
      return v1::CAPTURE_FATE_KEPT;
    case net::Verdict::hand_over:
      break;
  }
  return v1::CAPTURE_FATE_UNSPECIFIED;
}

namespace {

v1::CapturePoint point_of(tables::CapturePoint point) {
  switch (point) {
    case tables::CapturePoint::before:
      return v1::CAPTURE_POINT_BEFORE;
    case tables::CapturePoint::after:
      return v1::CAPTURE_POINT_AFTER;
    case tables::CapturePoint::drop:
      return v1::CAPTURE_POINT_DROP;
  }
  return v1::CAPTURE_POINT_UNSPECIFIED;
}

void put(const publish::CapturedPacket& from, v1::CapturedPacket& to) {
  const tables::CapturedHead& head = from.head;
  *to.mutable_time() = TimeUtil::NanosecondsToTimestamp(static_cast<int64_t>(from.when));
  to.set_point(point_of(head.point));
  to.set_fate(fate_of(head.verdict));
  if (head.reason != net::Reason::none && static_cast<size_t>(head.reason) < net::kReasonCount) {
    to.set_reason(std::string(net::to_string(head.reason)));
  }
  to.set_port(head.port);
  to.set_worker(head.worker);
  to.set_length(head.length);
  to.set_bytes(from.bytes.data(), from.bytes.size());
}

uint32_t points_of(const v1::CaptureRequest& request, config::Problems& problems) {
  uint32_t points = 0;
  for (const int point : request.points()) {
    if (point == v1::CAPTURE_POINT_BEFORE) {
      points |= static_cast<uint32_t>(tables::CapturePoint::before);
    } else if (point == v1::CAPTURE_POINT_AFTER) {
      points |= static_cast<uint32_t>(tables::CapturePoint::after);
    } else if (point == v1::CAPTURE_POINT_DROP) {
      points |= static_cast<uint32_t>(tables::CapturePoint::drop);
    } else {
      config::complain(problems, "points", std::to_string(point),
                       "There is no such point; name before, after or drop.");
    }
  }
  return points != 0 ? points : static_cast<uint32_t>(tables::CapturePoint::before);
}

/// One number with its default, which 0 stands for.
uint32_t bounded(uint32_t wanted, uint32_t most, uint32_t usual, const char* field,
                 config::Problems& problems) {
  config::check_range(wanted, 0, most, "", field, problems);
  return wanted != 0 ? wanted : usual;
}

/// Puts packets into messages until the capture or its client ends.
class Stream {
 public:
  Stream(grpc::ServerContext& context, grpc::ServerWriter<v1::CaptureResponse>& writer,
         publish::Capture& capture, const v1::CaptureRequest& request)
      : context_(context),
        writer_(writer),
        capture_(capture),
        left_(request.count() != 0 ? request.count() : UINT64_MAX),
        until_(request.seconds() != 0 ? Clock::now() + std::chrono::seconds(request.seconds())
                                      : Clock::time_point::max()) {}

  void run(const std::vector<publish::PortReading>& ports) {
    for (const publish::PortReading& port : ports) {
      v1::CapturePort& line = *message_.add_ports();
      line.set_number(port.number);
      line.set_name(port.name);
    }
    write();
    while (is_open_ && !is_full_ && Clock::now() < until_) {
      std::this_thread::sleep_for(kPause);
      is_open_ = is_open_ && !context_.IsCancelled();
      take(false);
    }
    take(true);
    message_.set_complete(true);
    write();
  }

 private:
  void take(bool is_last) {
    capture_.take(is_last, [this](const publish::CapturedPacket& packet) {
      if (left_ == 0) return;
      --left_;
      put(packet, *message_.add_packets());
      bytes_ += packet.bytes.size();
      if (bytes_ >= kMostBytes) write();
    });
    is_full_ = left_ == 0;
    if (bytes_ != 0 || Clock::now() - written_ >= kHeartbeat) write();
  }
  void write() {
    const publish::Capture::Counts counts = capture_.counts();
    message_.set_captured(counts.captured);
    message_.set_passed_over(counts.passed_over);
    message_.set_not_looked_at(counts.not_looked_at);
    is_open_ = is_open_ && writer_.Write(message_);
    message_.Clear();
    bytes_ = 0;
    written_ = Clock::now();
  }

  grpc::ServerContext& context_;
  grpc::ServerWriter<v1::CaptureResponse>& writer_;
  publish::Capture& capture_;
  uint64_t left_;
  Clock::time_point until_, written_;
  v1::CaptureResponse message_;
  size_t bytes_ = 0;
  bool is_open_ = true;
  bool is_full_ = false;
};

}  // namespace

tables::CaptureOrder CaptureService::order_of(const v1::CaptureRequest& request,
                                              config::Problems& problems) const {
  tables::CaptureOrder order;
  order.points = points_of(request, problems);
  order.snap = bounded(request.snap(), tables::kMostSnap, tables::kMostSnap, "snap", problems);
  order.rate = bounded(request.rate(), 1'000'000, kUsualRate, "rate", problems);
  order.looks = bounded(request.looks(), 100'000'000, kUsualLooks, "looks", problems);
  config::check_range(request.seconds(), 0, 86400, "", "seconds", problems);
  compile::FilterNames names;
  names.interface = [this](const std::string& name) -> std::optional<uint16_t> {
    for (const publish::PortReading& port : publisher_.read_vitals().ports) {
      if (port.name == name) return static_cast<uint16_t>(port.number);
    }
    return std::nullopt;
  };
  committer_.read([&](const config::Store& store) {
    const config::Model& model = store.model();
    names.service = [&](const std::string& name) -> std::optional<tables::ServiceKey> {
      const v1::VirtualService* service = model.services().find(name);
      if (service == nullptr) return std::nullopt;
      return compile::compile_service(*service).key;
    };
    names.instance = [&](const std::string& name) -> std::optional<uint16_t> {
      if (name == "standard") return uint16_t{0};
      const v1::NetworkInstance* instance = model.instances().find(name);
      if (instance == nullptr) return std::nullopt;
      return static_cast<uint16_t>(instance->number());
    };
    const compile::CompiledFilter filter = compile::compile_filter(request.filter(), names);
    if (filter.fault) {
      config::complain(
          problems, "filter", request.filter(),
          "Column " + std::to_string(filter.fault->column) + ": " + filter.fault->text);
    }
    order.program = filter.program;
    return 0;
  });
  return order;
}

Status CaptureService::Capture(grpc::ServerContext* context, const v1::CaptureRequest* request,
                               grpc::ServerWriter<v1::CaptureResponse>* writer) {
  return guarded([&] {
    config::Problems problems;
    const tables::CaptureOrder order = order_of(*request, problems);
    if (!problems.empty()) {
      return invalid(problems);
    }
    const publish::CaptureBegin begin = publisher_.capture(order);
    if (begin.is_busy) {
      return Status(StatusCode::RESOURCE_EXHAUSTED,
                    "Another capture is running, and there is one at a time; it ends with its "
                    "client.");
    }
    if (begin.capture == nullptr) {
      return Status(StatusCode::UNAVAILABLE, "No data plane is running; start nezu-dataplane.");
    }
    Stream(*context, *writer, *begin.capture, *request).run(publisher_.read_vitals().ports);
    return Status::OK;
  });
}

}  // namespace nezu::api
