#include "controlplane/publish/requests.h"

#include <thread>

#include "dataplane/tables/reader.h"

namespace nezu::publish {
namespace {

constexpr auto kPause = std::chrono::microseconds(200);

}  // namespace

// Another life of this process may have asked before: begin where no reply of its can be.
Requests::Requests(const tables::Region& region)
    : region_(region), sequence_(tables::boot_time().nanoseconds) {}

bool data_plane_lives(const tables::Region& region) {
  const uint64_t pid = region.header().dataplane_pid.load(std::memory_order_acquire);
  if (pid == 0) return false;
  for (uint32_t i = 0; i < tables::kMaxReaders; ++i) {
    const tables::ReaderLine& line = region.reader(i);
    const uint64_t owner = line.owner.load(std::memory_order_acquire);
    if (owner != 0 && tables::pid_of(owner) == pid && tables::is_alive(line)) return true;
  }
  return false;
}

FlowAnswer Requests::ask(tables::RequestKind kind, const tables::FlowFilter& filter, uint32_t limit,
                         std::chrono::milliseconds timeout,
                         const std::function<bool(const tables::FlowRecord&)>& found) {
  const std::lock_guard turn(turn_);
  FlowAnswer answer;
  if (!data_plane_lives(region_)) return answer;
  const uint64_t until = tables::boot_time().nanoseconds +
                         static_cast<uint64_t>(std::chrono::nanoseconds(timeout).count());
  tables::Request request;
  request.sequence = ++sequence_;
  request.deadline = until;
  request.kind = kind;
  request.limit = limit;
  request.filter = filter;
  answer.answer = Answer::late;
  bool asked = region_.requests().push(request);
  tables::Reply reply;
  while (tables::boot_time().nanoseconds < until) {
    if (!asked) asked = region_.requests().push(request);
    if (!region_.replies().pop(reply)) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (reply.sequence != request.sequence) continue;
    switch (reply.kind) {
      case tables::ReplyKind::flow:
      case tables::ReplyKind::client:
        if (!found(reply.flow)) {
          answer.answer = Answer::complete;
          return answer;
        }
        break;
      case tables::ReplyKind::done:
        answer.answer = Answer::complete;
        answer.matched = reply.matched;
        return answer;
      case tables::ReplyKind::unsupported:
        answer.answer = Answer::refused;
        return answer;
      case tables::ReplyKind::neighbour:
      case tables::ReplyKind::route:
        break;
    }
  }
  return answer;
}

}  // namespace nezu::publish
