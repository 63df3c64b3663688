// What a case is measured on: a world with one service, a worker's path over a table in a named
// file, that many flows opened through the path itself, and the frames of their packets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/path/folder.h"
#include "dataplane/admit/meters.h"
#include "dataplane/admit/syn_guard.h"
#include "dataplane/capture/recorder.h"
#include "dataplane/flow/file.h"
#include "dataplane/path.h"
#include "dataplane/path_restore.h"
#include "dataplane/steer/persistence_file.h"
#include "dataplane/steer/steering.h"
#include "dataplane/tables/reader.h"
#include "tests/path/world.h"

namespace nezu::bench {

struct Case {
  tables::Mode mode = tables::Mode::nat;
  net::Protocol protocol = net::Protocol::udp;
  net::Family family = net::Family::ipv4;   ///< of clients
  net::Family servers = net::Family::ipv4;  ///< of servers
  uint32_t flows = 1;
  std::string text;  ///< as it was given
  bool is_mixed() const { return family != servers; }
};
/// "nat,udp,ipv4,1000000", "fullnat,tcp,ipv6-ipv4,1000" (clients, then servers); false: not one.
bool parse_case(const std::string& text, Case& out);

struct Options {
  bool huge = false;     ///< tables and buffers in 2 MiB pages
  bool cold = false;     ///< buffers cycled through more memory than L2
  bool one_way = false;  ///< only packets to servers
  uint32_t burst = 64;
  uint32_t runs = 5;
  uint64_t packets = 2'000'000;   ///< of a run
  uint32_t capacity = 0;          ///< of the table; 0: what the case needs
  bool default_timeouts = false;  ///< and shares, instead of "nothing expires"
  uint16_t workers = 1;           ///< each with a table of that capacity
  bool captures = false;          ///< somebody captures meanwhile
  std::string filter;             ///< of that capture
  /// Each flow at one of so many services, with a server of its own; 1: one service, 16 servers.
  uint32_t services = 1;
  /// They have access lists, limits of flows, marks, persistence and SYN cookies above a rate.
  bool everything = false;
  bool metered = false;  ///< and limits of packets and bits, of services and of clients
};

/// 64-byte frames (60 without their checksum); IPv6 TCP needs 74.
inline constexpr uint32_t kFrameRoom = 128;
struct Template {
  std::array<uint8_t, kFrameRoom - 8> bytes{};
  uint16_t length = 0;
  uint16_t port = 0;
};
static_assert(sizeof(Template) <= kFrameRoom);

/// Memory for packets, in huge pages if wanted.
class Memory {
 public:
  Memory(size_t bytes, bool huge);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
  size_t bytes_;
};

class Rig {
 public:
  Rig(const Case& what, const Options& options);
  ~Rig();

  /// Opens every flow and makes it live by an answer; fills `there` and `back`.
  void open_flows();
  /// The packet that opens flow `n`, which may be beyond the case's.
  void first_frame(uint32_t n, Template& out) const;
  /// A SYN with Linux's options, or none.
  void syn_frame(uint32_t n, bool options, Template& out) const;
  /// From now on SYN cookies answer all SYNs.
  void guard();
  /// What follows the first packet in the life of its connection, from that as it left for the
  /// server: SYN-ACK, data, data back, FIN, FIN-ACK, ACK.
  static constexpr uint32_t kLifePackets = 7;
  void life_frame(uint32_t step, const Template& first, const uint8_t* left, Template& out) const;
  /// Packets of open flows: to the server, to the client.
  const std::vector<Template>& there() const { return there_; }
  const std::vector<Template>& back() const { return back_; }
  /// Whose an open flow is.
  uint16_t owner(size_t flow) const { return owners_[flow]; }

  path::Path& path(uint16_t worker = 0) { return *paths_[worker]; }
  flow::Table& flows(uint16_t worker = 0) { return *tables_[worker]; }
  /// By that worker's thread alone.
  tables::View view(uint16_t worker = 0) { return readers_[worker]->latest(); }
  const route::Routes& routes() const { return world_.routes(); }
  net::Instant now() const { return now_; }
  void pass(uint64_t nanoseconds) { now_ = net::after(now_, nanoseconds); }
  capture::Recorder& recorder(uint16_t worker = 0) { return *recorders_[worker]; }
  /// As the control plane does; outside of what is measured.
  void fetch_copies() { world_.region().captures_of(0).clear(); }
  tables::WorkerLine& line(uint16_t worker = 0) { return world_.region().worker(worker); }
  /// Gives the service another timeout, as a push of the control plane does. Another thread may,
  /// one at a time.
  void push(uint32_t n);
  /// Of the table, with everything around the entries; SNAT lines apart.
  size_t table_bytes() const;

  /// The process starts again: seconds to rebuild the table.
  double restart();

 private:
  void start();
  void put_many();
  void begin_capture();
  uint16_t run(Template& frame);

  Case case_;
  Options options_;
  flow::Capacity capacity_;
  uint32_t snats_;  ///< addresses of `fullnat`
  world::World world_;
  std::vector<std::string> texts_;
  world::ServiceSpec spec_;
  Folder folder_;
  net::Instant now_{1000 * net::kNanosecondsPerSecond};
  std::vector<std::unique_ptr<tables::Reader>> readers_;
  std::unique_ptr<steer::Steering> steering_;
  admit::SynGuard syn_guard_;
  std::unique_ptr<admit::Meters> meters_;
  steer::PersistenceFile persistence_;
  std::unique_ptr<flow::Files> files_;
  std::vector<std::unique_ptr<flow::Table>> tables_;
  std::vector<std::unique_ptr<path::Path>> paths_;
  std::vector<std::unique_ptr<capture::Recorder>> recorders_;
  path::Restored restored_;
  double restore_seconds_ = 0;
  std::vector<Template> there_, back_;
  std::vector<uint16_t> owners_;
};

}  // namespace nezu::bench
