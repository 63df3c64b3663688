#include "tests/path/lab.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "dataplane/flow/table.h"
#include "dataplane/forward/pieces.h"
#include "dataplane/net/hash.h"
#include "dataplane/net/text.h"
#include "dataplane/path_explainer.h"
#include "dataplane/path_turn.h"

namespace nezu::lab {
namespace {

std::string new_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "nezu-lab-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

bool may_be_explained(const dsl::Frame& frame) {
  const size_t length = frame.bytes().size();
  return length >= tables::kLeastExplained && length <= tables::kMostExplained;
}

dsl::Frame bytes_of(const tables::Explanation& told) {
  return dsl::Frame(dsl::Bytes(told.frame.begin(), told.frame.begin() + told.length));
}

/// Ports that are told in lines and messages are taken from boards, and those of announced
/// connections with them.
bool says_all_bytes(const tables::Explanation& told) {
  const bool may_tell_ports =
      told.mode == tables::Mode::spliced || told.mode == tables::Mode::spoken;
  return told.origin == tables::FlowOrigin::none || (told.is_exact != 0 && !may_tell_ports);
}

/// What deploy/seeing.md says that is not explained: that something is full.
bool is_beyond_explaining(const tables::Explanation& told, const Fate& fate) {
  switch (fate.reason) {
    case net::Reason::announcement_full:
    case net::Reason::answers_ambiguous:
    case net::Reason::flow_bucket_full:
    case net::Reason::fragment_table_full:
      return true;
    case net::Reason::flow_table_full:
    case net::Reason::embryonic_limit:
    case net::Reason::splice_table_full:
      return told.is_crowded != 0;
    default:
      return false;
  }
}

void append(std::string& to, const void* bytes, size_t size) {
  to.append(static_cast<const char*>(bytes), size);
}

}  // namespace

Lab::Lab(uint16_t workers, flow::Capacity capacity, tables::Sizes sizes)
    : capacity_(capacity), world_(sizes), directory_(new_directory()) {
  start(workers);
}

Lab::~Lab() {
  stop();
  std::filesystem::remove_all(directory_);
}

void Lab::start(uint16_t workers) {
  files_ = std::make_unique<flow::Files>();
  flow::Files::Options options;
  options.directory = directory_;
  options.workers = workers;
  options.capacity = capacity_;
  options.region_id = world_.region().header().region_id;
  if (!files_->open(options)) {
    std::fprintf(stderr, "%s\n", files_->error().c_str());
    std::abort();
  }
  // Another hash seed at each start, as in production.
  static uint64_t seed = 1;
  steering_ = std::make_unique<steer::Steering>(workers, ++seed);
  handover_ = std::make_unique<steer::Handover>(workers, 256);
  announcements_ = std::make_unique<steer::Announcements>(workers, kAnnouncements);
  calls_ = std::make_unique<steer::Calls>(workers);
  meters_ = std::make_unique<admit::Meters>(world_.region().header().sizes.services,
                                            kLimitedClients, workers, seed);
  persistence_ = std::make_unique<steer::PersistenceFile>();
  const net::Tick tick = net::to_tick(now_);
  if (!persistence_->open({directory_, kPersistentClients, seed, {}, tick})) {
    std::fprintf(stderr, "%s\n", persistence_->error().c_str());
    std::abort();
  }
  path::adopt_clients(persistence(), world_.view(), tick);
  syn_guard_ = std::make_unique<admit::SynGuard>(world_.region().header().sizes.services,
                                                 persistence().seed(), now_);
  std::vector<path::Path*> all;
  for (uint16_t worker = 0; worker < workers; ++worker) {
    tables_.push_back(std::make_unique<flow::Table>(files_->memory(worker), capacity_,
                                                    steering_->flow_hash(), net::to_tick(now_)));
    path::Setup setup = path::setup_of(world_.region(), worker, workers);
    setup.flows = tables_.back().get();
    setup.steering = steering_.get();
    setup.announcements = announcements_.get();
    setup.calls = calls_.get();
    setup.persistence = &persistence();
    setup.meters = meters_.get();
    setup.syn_guard = syn_guard_.get();
    setup.snat_lines = 4096;
    setup.ports[0] = tables::port_identity("front");
    setup.ports[1] = tables::port_identity("back");
    logs_.push_back(std::make_unique<path::NatRing>(64));
    setup.nat_log = logs_.back().get();
    setup.sides = sides_;
    setups_.push_back(setup);
    paths_.push_back(std::make_unique<path::Path>(setup));
    all.push_back(paths_.back().get());
    recorders_.push_back(std::make_unique<capture::Recorder>(world_.region(), worker));
  }
  restored_ = path::restore(*files_, all, world_.region(), world_.view(), now_);
}

void Lab::stop() {
  recorders_.clear();
  paths_.clear();
  setups_.clear();
  logs_.clear();
  tables_.clear();
  persistence_.reset();
  files_.reset();
}

path::Restored Lab::restart(uint16_t workers) {
  files_->settle();
  stop();
  start(workers);
  return restored_;
}

std::vector<Fate> Lab::run(uint16_t worker, uint16_t port, const std::vector<Way>& ways, By by) {
  net::Burst burst;
  for (const Way& way : ways) {
    const net::Packet& from = way.frame->packet();
    net::Packet& packet = burst.packets[burst.count++];
    packet.arrive(from.head, way.frame, from.head_length, from.length, from.room, port);
    packet.knows_ports = way.knows_ports;
    packet.ports = way.ports;
    // One that waits outlives this call, and so do its bytes.
    kept_.push_back(std::make_unique<Kept>(Kept{*way.frame, port}));
    packet.buffer = kept_.back().get();
  }
  const tables::View view = world_.view();
  path::Path& path = *paths_[worker];
  capture::Recorder& recorder = *recorders_[worker];
  recorder.turn(world_.routes().spaces(), now_);
  if (recorder.is_on()) {
    const bool came = by == By::port || by == By::ring;
    recorder.came(burst, came ? capture::Origin::port : capture::Origin::ourselves);
  }
  switch (by) {
    case By::port:
      path.receive(burst, view, world_.routes(), now_);
      break;
    case By::ring:
      path.take(burst, view, world_.routes(), now_);
      break;
    case By::pieces:
      path.resume(burst, view, world_.routes(), now_);
      break;
    case By::ourselves:
      path.originate(burst, view, world_.routes(), now_);
      break;
  }
  handover_->give(worker, burst, world_.region().worker(worker));
  if (recorder.is_on()) recorder.went(burst);

  std::vector<Fate> fates;
  for (const net::Packet& packet : burst.all()) {
    Fate fate;
    fate.verdict = packet.verdict;
    fate.reason = packet.reason;
    fate.egress = packet.egress;
    fate.worker = worker;
    fate.handed_over = by == By::ring;
    if (packet.verdict == net::Verdict::hand_over) {
      steer::Given given;
      if (handover_->take(packet.owner, std::span(&given, 1)) != 1) std::abort();
      dsl::Frame frame = static_cast<Kept*>(given.buffer)->frame;
      fate = run(packet.owner, port, {{&frame, given.knows_ports, given.ports}}, By::ring)[0];
    } else if (packet.verdict != net::Verdict::kept) {
      if (packet.verdict == net::Verdict::hold) {
        fate.awaited = packet.awaited;
        fate.awaited_in = packet.awaited_in;
      }
      fate.frame = dsl::Frame(dsl::Bytes(packet.head, packet.head + packet.length));
      if (packet.verdict == net::Verdict::split) split(packet, worker, port);
    }
    fates.push_back(std::move(fate));
  }
  release(worker);
  return fates;
}

/// As a worker does after each burst.
void Lab::split(const net::Packet& packet, uint16_t worker, uint16_t port) {
  forward::Pieces pieces(packet, packet.owner);
  for (uint32_t i = 0; i < pieces.count(); ++i) {
    const forward::Pieces::Piece piece = pieces.piece(i);
    dsl::Bytes bytes(piece.headers.begin(), piece.headers.end());
    bytes.insert(bytes.end(), packet.head + piece.from, packet.head + piece.from + piece.length);
    dsl::Frame frame(std::move(bytes));
    pieces_.push_back(run(worker, port, {{&frame, true, packet.ports}}, By::pieces)[0]);
  }
}

/// As a worker does each turn.
void Lab::release(uint16_t worker) {
  steer::Given given;
  while (paths_[worker]->release(std::span(&given, 1)) == 1) {
    Kept kept = *static_cast<Kept*>(given.buffer);
    Fate fate;
    if (given.reason != net::Reason::none) {
      capture::Recorder& recorder = *recorders_[worker];
      recorder.turn(world_.routes().spaces(), now_);
      kept.frame.packet().port = kept.port;
      if (recorder.is_on()) recorder.lost(kept.frame.packet(), given.reason);
      fate.verdict = net::Verdict::drop;
      fate.reason = given.reason;
      line(worker).reasons[static_cast<size_t>(given.reason)].add(1);
    } else {
      dsl::Frame frame = kept.frame;
      fate = run(worker, kept.port, {{&frame, given.knows_ports, given.ports}}, By::ring)[0];
    }
    released_.push_back(std::move(fate));
  }
}

Fate Lab::send(const dsl::Frame& frame, uint16_t worker, uint16_t port) {
  return send(std::vector<dsl::Frame>{frame}, worker, port)[0];
}

std::vector<Fate> Lab::send(const std::vector<dsl::Frame>& frames, uint16_t worker, uint16_t port) {
  static const bool explains = std::getenv("NEZU_EXPLAIN") != nullptr;
  // Of what goes on for long, some.
  const bool is_chosen = ++sent_ <= 300 || sent_ % 16 == 0;
  if (explains && is_chosen && frames.size() == 1) return {send_explained(frames[0], worker, port)};
  return receive(frames, worker, port);
}

std::vector<Fate> Lab::receive(const std::vector<dsl::Frame>& frames, uint16_t worker,
                               uint16_t port) {
  std::vector<dsl::Frame> copies = frames;
  std::vector<Way> ways;
  for (dsl::Frame& frame : copies) ways.push_back({&frame});
  auto fates = run(worker, port, ways, By::port);
  for (uint16_t each = 0; each < workers(); ++each) say_farewells(each);
  return fates;
}

Fate Lab::send_explained(const dsl::Frame& frame, uint16_t worker, uint16_t port) {
  if (!may_be_explained(frame)) return receive({frame}, worker, port)[0];
  const bool compares_all = explained_++ % 64 == 0;  // it is much
  const tables::Explanation told =
      compares_all ? explain(frame, worker, port) : ask(frame, worker, port);
  const size_t pieces = pieces_.size();
  const Fate fate = receive({frame}, worker, port)[0];
  compare(told, fate.verdict == net::Verdict::split ? pieces_[pieces] : fate);
  return fate;
}

tables::Explanation Lab::explain(const dsl::Frame& frame, uint16_t worker, uint16_t port) {
  const std::string before = kept();
  const tables::Explanation told = ask(frame, worker, port);
  if (kept() != before || !tables::is_sound(told)) {
    std::fprintf(stderr, "an explanation changed something, or is unsound\n");
    std::abort();
  }
  return told;
}

tables::Explanation Lab::ask(const dsl::Frame& frame, uint16_t worker, uint16_t port) {
  std::vector<path::Desk*> desks;
  for (const auto& path : paths_) desks.push_back(&path->desk());
  path::Explainer explainer(setups_, desks);
  tables::ExplainOrder order;
  order.until = now_.nanoseconds + net::kNanosecondsPerSecond;
  order.port = port;
  order.length = static_cast<uint32_t>(frame.bytes().size());
  std::copy(frame.bytes().begin(), frame.bytes().end(), order.frame.begin());
  explainer.begin(order, worker);
  while (!explainer.turn(world_.view(), world_.routes(), now_)) {
    for (const auto& path : paths_) path::answer_question(path->state(), world_.view(), now_);
  }
  return explainer.told();
}

std::string Lab::kept() const {
  std::string all;
  const tables::Region& region = world_.region();
  const tables::Sizes& sizes = region.header().sizes;
  for (uint16_t worker = 0; worker < workers(); ++worker) {
    append(all, &region.worker(worker), sizeof(tables::WorkerLine));
    append(all, region.services_of(worker), sizes.services * sizeof(tables::ServiceCounters));
    append(all, region.servers_of(worker), sizes.servers * sizeof(tables::ServerCounters));
    append(all, region.addresses_of(worker), sizes.addresses * sizeof(tables::AddressGauge));
    const auto memory = files_->memory(worker);
    append(all, memory.data(), memory.size());
  }
  persistence_->table().each(0, kPersistentClients, net::to_tick(now_), [&](const auto& held) {
    append(all, &held.server, sizeof held.server);
    append(all, &held.seconds_left, sizeof held.seconds_left);
  });
  return all + std::to_string(meters_->used());
}

void Lab::compare(const tables::Explanation& told, const Fate& fate) const {
  const tables::ExplainedPass& last = told.passes[told.pass_count - 1];
  const bool is_same =
      last.verdict == fate.verdict && last.reason == fate.reason && last.worker == fate.worker &&
      (fate.verdict != net::Verdict::forward || told.egress == fate.egress) &&
      (told.length == 0 || says_all_bytes(told) == false || bytes_of(told) == fate.frame);
  if (is_same || is_beyond_explaining(told, fate)) return;
  std::fprintf(
      stderr, "explained as %d %s by worker %u:\n  %s\nhappened as %d %s by worker %u:\n  %s\n",
      static_cast<int>(last.verdict), net::to_string(last.reason).data(), last.worker,
      net::describe(bytes_of(told).bytes()).c_str(), static_cast<int>(fate.verdict),
      net::to_string(fate.reason).data(), fate.worker, net::describe(fate.frame.bytes()).c_str());
  std::abort();
}

void Lab::advance(double seconds) {
  const auto steps = static_cast<int>(seconds * 4) + 1;
  for (int i = 0; i < steps; ++i) {
    now_ = net::after(now_, static_cast<uint64_t>(seconds * 1e9 / steps));
    for (const auto& path : paths_) {
      for (int turn = 0; turn < 16; ++turn) path->housekeep(world_.view(), world_.routes(), now_);
    }
    for (uint16_t worker = 0; worker < workers(); ++worker) {
      say_farewells(worker);
      release(worker);
    }
  }
}

void Lab::say_farewells(uint16_t worker) {
  path::Farewell farewell;
  while (paths_[worker]->farewells(std::span(&farewell, 1)) == 1) {
    dsl::Frame frame(dsl::Bytes(farewell.frame.begin(), farewell.frame.begin() + farewell.length));
    said_.push_back(run(worker, farewell.port, {{&frame}}, By::ourselves)[0]);
  }
}

uint32_t Lab::flow_count() const {
  uint32_t sum = 0;
  for (const auto& table : tables_) sum += table->count(false) + table->count(true);
  return sum;
}

uint64_t Lab::count(tables::Counter tables::WorkerLine::*counter) {
  uint64_t sum = 0;
  for (uint16_t worker = 0; worker < workers(); ++worker) sum += (line(worker).*counter).read();
  return sum;
}

uint64_t Lab::count(net::Reason reason) {
  uint64_t sum = 0;
  for (uint16_t worker = 0; worker < workers(); ++worker) {
    sum += line(worker).reasons[static_cast<size_t>(reason)].read();
  }
  return sum;
}

uint64_t Lab::gauge_of_server(tables::ServerId id) {
  uint64_t sum = 0;
  for (uint32_t worker = 0; worker < world_.region().header().sizes.workers; ++worker) {
    sum += world_.region().servers_of(worker)[index(id)].flows_active.read();
  }
  return sum;
}

uint64_t Lab::gauge_of_service(tables::ServiceId id) {
  uint64_t sum = 0;
  for (uint32_t worker = 0; worker < world_.region().header().sizes.workers; ++worker) {
    sum += world_.region().services_of(worker)[index(id)].flows_active.read();
  }
  return sum;
}

std::string Lab::audit() {
  for (const auto& table : tables_) {
    if (const char* wrong = table->audit()) return wrong;
  }
  return {};
}

}  // namespace nezu::lab
