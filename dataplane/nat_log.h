// The NAT log: who had which SNAT address and port when, as lines of text in files that are bounded
// in size and number.
//
//   2026-03-01T12:00:00.123456Z open udp 10.0.1.5:5353 203.0.113.1:5001 198.51.100.7:53
//   time                        kind protocol inside   SNAT             outside
//
// Kinds: `open` and `close` of a flow of source NAT; `start` of the data plane, then `kept` for
// each flow that outlived the last one (whatever else was open then is closed); `lost N`: so many
// records before this line could not be kept. A ping has its identifiers for ports, 0 on the
// outside.
//
// Workers push records into a ring each. One thread, which does nothing else, writes them: a disk
// that hangs or is full holds up nobody. What finds no room in a ring the worker counts
// (WorkerLine::nat_log_lost), what the disk does not take this thread (Header::nat_log_lost).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/path.h"
#include "dataplane/tables/layout.h"

namespace nezu::dataplane {

class NatLog {
 public:
  struct Options {
    std::string file;  ///< the newest; older ones are file.1, file.2 and so on; empty: no log
    uint64_t bytes = 64ull << 20;  ///< of each file
    uint32_t files = 16;           ///< with the newest
    uint32_t ring = 8192;          ///< records that may wait, of each worker
  };
  /// The first `start` is written here. A file that cannot be opened is tried again every second.
  NatLog(Options options, uint16_t workers, tables::Header& header);
  ~NatLog() { stop(); }
  NatLog(const NatLog&) = delete;
  NatLog& operator=(const NatLog&) = delete;

  path::NatRing* ring(uint16_t worker) { return rings_[worker].get(); }
  /// Before `start`: a flow that was there already.
  void keep(const path::NatRecord& record);

  void start();
  /// All that workers had pushed is written.
  void stop();

  /// One turn of the thread. False: there was nothing to write.
  bool turn();

 private:
  void line(std::string_view kind, const path::NatRecord& record);
  void time(uint64_t boot_ns);
  void flush();
  bool open();
  void rotate();
  void fail(const char* what);

  Options options_;
  tables::Header& header_;
  std::vector<std::unique_ptr<path::NatRing>> rings_;
  std::string buffer_;
  uint64_t waiting_ = 0;  ///< records in `buffer_`
  uint64_t lost_ = 0;     ///< since the last line that said so
  int64_t wall_minus_boot_ = 0;
  int64_t second_ = -1;  ///< that `second_text_` is of
  std::string second_text_;
  int file_ = -1;
  uint64_t size_ = 0;  ///< of the file, as far as it is whole
  net::Instant try_again_;
  bool failing_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace nezu::dataplane
