#include "controlplane/publish/region_publisher.h"

#include <time.h>

#include <stdexcept>

#include "controlplane/publish/capture.h"
#include "controlplane/publish/publication.h"

namespace nezu::publish {
namespace {

constexpr uint64_t kTidyEvery = net::kNanosecondsPerSecond / 2;

int64_t wall_minus_boot() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return wall.tv_sec * 1'000'000'000 + wall.tv_nsec -
         static_cast<int64_t>(tables::boot_time().nanoseconds);
}

compile::Share share_of(const tables::Member& member) {
  const auto has = [&member](uint8_t bit) { return (member.followed & bit) != 0; };
  compile::Share share;
  share.source =
      has(tables::kFollowsTime) ? compile::ShareSource::response_time : compile::ShareSource::agent;
  share.percent = member.percent;
  share.drains = has(tables::kAgentDrains);
  share.in_maintenance = has(tables::kAgentMaintenance);
  share.is_down = has(tables::kAgentDown);
  if (has(tables::kAgentLimit)) share.max_flows = member.max_flows;
  return share;
}

}  // namespace

RegionPublisher::RegionPublisher(std::unique_ptr<tables::Region> region, std::string directory,
                                 bool created)
    : region_(std::move(region)),
      directory_(std::move(directory)),
      books_(*region_),
      requests_(*region_),
      explain_(*region_) {
  std::string error;
  writer_ = tables::Writer::attach(*region_, &error);
  if (!writer_) throw std::runtime_error(error);
  if (!books_.adopt(*region_, writer_->view())) {
    throw std::runtime_error(region_->path() +
                             ": two objects claim one slot; stop the data plane and remove the "
                             "file to start anew");
  }
  adopt_servers();
  adopt_shares();
  if (!created && writer_->heap().retired_bytes() != 0) {
    notes_.push_back("recovered " + std::to_string(writer_->heap().retired_bytes()) +
                     " bytes that the last control plane had left behind");
  }
}

RegionPublisher::~RegionPublisher() = default;

void RegionPublisher::adopt_servers() {
  const tables::View view = writer_->view();
  if (!view.is_ready()) return;
  view.each(view.root()->servers, [this](const tables::Server& server) {
    if (server.retired != 0) return;
    adopted_.push_back({server.identity, server.health_known != 0, server.healthy != 0,
                        server.configured, server.drain_deadline});
  });
}

void RegionPublisher::adopt_shares() {
  const tables::View view = writer_->view();
  if (!view.is_ready()) return;
  view.each(view.root()->pools, [&](const tables::Pool& pool) {
    for (uint32_t i = 0; i < pool.member_count; ++i) {
      const tables::Member& member = pool.members()[i];
      const tables::Server* server = view.server(member.server);
      if (member.followed == 0 || server == nullptr) continue;
      adopted_shares_[pool.name.data()][server->identity] = share_of(member);
    }
  });
}

Result RegionPublisher::publish(const config::Model& model, const compile::Touched& touched,
                                const Conditions& conditions, uint64_t revision) {
  // Changes without a pause must not use up slots that others have left.
  if (tables::boot_time() > net::after(tidied_, kTidyEvery)) tidy();
  const compile::Image image = compile_touched(model, touched, conditions);
  Publication publication = begin();
  publication.stage(image);
  Result result = finish(publication, revision);
  result.compiled = image.size();
  if (result.outcome == Outcome::published || result.outcome == Outcome::unchanged) {
    writer_->set_ready();
  }
  return result;
}

compile::Image RegionPublisher::compile_touched(const config::Model& model,
                                                const compile::Touched& touched,
                                                const Conditions& conditions) const {
  if (!touched.everything) return compile::compile(model, touched, conditions, wall_minus_boot());
  compile::Touched all = touched;
  books_.touch_all(all);
  return compile::compile(model, all, conditions, wall_minus_boot());
}

/// Under the lock: what is reused from here on may be what a reading is looking at.
Publication RegionPublisher::begin() {
  const std::unique_lock lock(books_lock_);
  return {*writer_, books_};
}

Result RegionPublisher::finish(Publication& publication, uint64_t revision) {
  const tables::Commit commit = publication.commit(revision);
  Result result;
  result.outcome = commit == tables::Commit::published   ? Outcome::published
                   : commit == tables::Commit::unchanged ? Outcome::unchanged
                                                         : Outcome::full;
  result.generation = writer_->generation();
  result.error = commit == tables::Commit::full ? publication.why_full() : "";
  result.written_bytes = commit == tables::Commit::published ? publication.written_bytes() : 0;
  const std::unique_lock lock(books_lock_);
  publication.settle();
  return result;
}

Result RegionPublisher::tidy() {
  Publication publication = begin();
  const uint64_t oldest = writer_->oldest_read();
  const net::Instant now = tidied_ = tables::boot_time();
  const auto reclaim = [&](auto&... books) { (..., books.slots.reclaim(oldest, now)); };
  reclaim(books_.services, books_.pools, books_.servers, books_.addresses);
  if (!writer_->view().is_ready()) return {Outcome::unchanged, 0, {}, 0, 0};
  // A flow that a worker opened by an older generation is counted before that worker passes it.
  if (oldest >= writer_->generation()) publication.stage_idle();
  return finish(publication, writer_->revision());
}

std::vector<tables::Event> RegionPublisher::take_events() {
  std::vector<tables::Event> events;
  tables::Event event;
  while (region_->events().pop(event)) events.push_back(event);
  return events;
}

FlowAnswer RegionPublisher::ask(tables::RequestKind kind, const tables::FlowFilter& filter,
                                uint32_t limit, std::chrono::milliseconds timeout,
                                const Found& found) {
  return requests_.ask(kind, filter, limit, timeout, found);
}

CaptureBegin RegionPublisher::capture(const tables::CaptureOrder& order) {
  if (!data_plane_lives(*region_)) return {};
  if (is_capturing_.exchange(true, std::memory_order_acquire)) return {nullptr, true};
  return {std::make_unique<RegionCapture>(*region_, order, is_capturing_), false};
}

ExplainAnswer RegionPublisher::explain(uint16_t port, std::span<const uint8_t> frame,
                                       std::chrono::milliseconds timeout) {
  return explain_.ask(port, frame, timeout);
}

std::unique_ptr<Publisher> open_region(const Options& options) {
  auto opened = tables::Region::open_writer(options.region_dir, options.sizes);
  if (!opened.region) throw std::runtime_error(opened.error);
  return std::make_unique<RegionPublisher>(std::move(opened.region), options.region_dir,
                                           opened.created);
}

}  // namespace nezu::publish
