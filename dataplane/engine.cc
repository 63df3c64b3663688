#include "dataplane/engine.h"

#include <spdlog/spdlog.h>

#include <random>
#include <stdexcept>

namespace nezu::dataplane {
namespace {

uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

uint32_t whole_sets(uint32_t count, uint32_t ways) { return (count + ways - 1) / ways * ways; }

}  // namespace

Engine::Member::Member(flow::Table& table, const path::Setup& setup,
                       std::unique_ptr<tables::Reader> eyes, Worker::Parts parts)
    : path([&] {
        path::Setup own = setup;
        own.flows = &table;
        return own;
      }()),
      reader(std::move(eyes)),
      worker([&] {
        parts.path = &path;
        parts.reader = reader.get();
        return parts;
      }()) {}

Engine::Engine(const Options& options, const tables::Region& region, const tables::View& view,
               RouteKeeper& routes, const std::vector<std::unique_ptr<device::Gate>>& gates,
               NatLog* nat_log)
    : steering_(options.workers, random_seed()),
      handover_(options.workers),
      announcements_(options.workers),
      calls_(options.workers),
      meters_(region.header().sizes.services,
              whole_sets(options.limited_clients, admit::Meters::kWays), options.workers,
              random_seed()),
      conversations_(random_seed()) {
  const tables::Header& header = region.header();
  if (options.workers > header.sizes.workers) {
    throw std::runtime_error("the tables have room for " + std::to_string(header.sizes.workers) +
                             " workers, not for " + std::to_string(options.workers) +
                             ": ask for fewer (--workers), or make the tables anew with more "
                             "(nezu-controlplane --max-workers)");
  }
  if (!files_.open(
          {options.flow_dir, options.workers, options.flows, header.region_id, header.boot_id})) {
    throw std::runtime_error(files_.error());
  }
  const net::Instant now = tables::boot_time();
  open_persistence(options, header, view, now);
  // That seed lives as long as the boot: clients whose handshake a restart falls into go on.
  syn_guard_ = std::make_unique<admit::SynGuard>(header.sizes.services, persistence().seed(), now);
  std::vector<path::Path*> paths;
  for (uint16_t number = 0; number < options.workers; ++number) {
    auto reader = tables::Reader::attach(region, "worker " + std::to_string(number));
    if (!reader) throw std::runtime_error("all reader lines of the tables are taken");
    tables_.push_back(std::make_unique<flow::Table>(files_.memory(number), options.flows,
                                                    steering_.flow_hash(), net::to_tick(now)));
    path::Setup setup = path::setup_of(region, number, options.workers);
    setup.steering = &steering_;
    setup.announcements = &announcements_;
    setup.calls = &calls_;
    setup.persistence = &persistence();
    lines_.push_back(setup.line);
    setup.meters = &meters_;
    setup.syn_guard = syn_guard_.get();
    setup.ports = options.ports;
    setup.sides = options.sides;
    if (nat_log != nullptr) setup.nat_log = nat_log->ring(number);
    setups_.push_back(setup);
    Worker::Parts parts;
    parts.number = number;
    parts.gate = gates[number].get();
    parts.handover = &handover_;
    parts.routes = &routes.published();
    parts.line = setup.line;
    parts.region = &region;
    parts.conversations = &conversations_;
    parts.ports = options.port_count;
    parts.sleeps_when_idle = options.sleeps_when_idle;
    gates[number]->count_in(setup.line);
    crew_.push_back(std::make_unique<Member>(*tables_.back(), setup, std::move(reader), parts));
    paths.push_back(&crew_.back()->path);
  }
  restored_ = path::restore(files_, paths, region, view, now);
  files_.finish();
  if (nat_log == nullptr) return;
  for (const path::Path* path : paths) {
    path->each_nat([nat_log](const path::NatRecord& record) { nat_log->keep(record); });
  }
}

void Engine::open_persistence(const Options& options, const tables::Header& header,
                              const tables::View& view, net::Instant now) {
  const net::Tick tick = net::to_tick(now);
  const uint32_t capacity = whole_sets(options.persistent_clients, steer::Persistence::kWays);
  if (!persistence_.open({options.flow_dir, capacity, random_seed(), header.boot_id, tick})) {
    throw std::runtime_error(persistence_.error());
  }
  path::adopt_clients(persistence(), view, tick);
}

void Engine::start(const device::Eal& eal) {
  std::vector<std::function<void()>> runs;
  for (const auto& member : crew_) {
    runs.emplace_back([this, worker = &member->worker] { worker->run(stop_); });
  }
  threads_ = std::make_unique<device::Threads>(eal, std::move(runs));
  spdlog::info("{} workers, {}", crew_.size(),
               threads_->pinned() ? "each on an lcore" : "on threads without an lcore");
}

void Engine::stop() {
  if (!threads_) return;
  stop_.store(true, std::memory_order_relaxed);
  threads_->join();
  threads_.reset();
  for (size_t number = 0; number < lines_.size(); ++number) {
    const tables::WorkerLine& line = *lines_[number];
    spdlog::info(
        "worker {}: {} turns, the longest took {:.1f} us, {} more than 100 us (ever)", number,
        line.turns.read(),
        static_cast<double>(line.longest_turn.read()) * 1e6 / static_cast<double>(device::tsc_hz()),
        line.turns_too_long.read());
  }
  files_.settle();
}

std::vector<path::Desk*> Engine::desks() {
  std::vector<path::Desk*> desks;
  for (const auto& member : crew_) desks.push_back(&member->path.desk());
  return desks;
}

}  // namespace nezu::dataplane
