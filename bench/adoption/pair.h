// Both programs as shipped, in a folder of their own: the control plane with its API, the data
// plane on a null port without idle sleep, and the region to watch them by.
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/tables/reader.h"
#include "nezu/v1/change.grpc.pb.h"

namespace nezu::bench {

/// A child process that ends with this object.
class Program {
 public:
  Program(const std::vector<std::string>& words, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Its exit status, when it has ended by itself.
  int wait();
  uint64_t resident_kib() const;
  double cpu_seconds() const;

 private:
  pid_t pid_ = -1;
};

struct Options {
  std::string controlplane, dataplane, cli;
  std::vector<uint32_t> services{1, 1000, 10000, 64000};
  uint32_t changes = 1000;
  uint32_t workers = 1;
  std::string dataplane_cores;  ///< "0,1"; empty: as this program
  uint32_t rate = 1000;         ///< changes a second of the long run; 0: no long run
  uint32_t rate_seconds = 60;   ///< of it
  std::string region_dir;       ///< as production has it: memory
  std::string state_dir;        ///< as production has it: a disk
  std::string json;
};

class Pair {
 public:
  explicit Pair(const Options& options);
  ~Pair();

  v1::ConfigurationService::Stub& api() { return *api_; }
  std::unique_ptr<v1::ConfigurationService::Stub> another_api() const;
  Program& controlplane() { return *controlplane_; }
  /// On the disk.
  std::string file(const std::string& name) const { return folder_ / name; }
  /// How `nezu` finds this control plane.
  std::string address() const { return "unix:" + file("api.sock"); }
  uint64_t generation() const;
  /// Until every worker's line shows that it reads this generation; polled, so that on few cores
  /// the one who looks does not stand in the way.
  void wait_until_adopted(uint64_t generation) const;

 private:
  size_t workers() const;

  std::filesystem::path folder_, region_folder_;
  std::unique_ptr<tables::Region> region_;
  std::unique_ptr<Program> controlplane_, dataplane_;
  std::unique_ptr<v1::ConfigurationService::Stub> api_;
};

void check(const grpc::Status& status, const char* call);

}  // namespace nezu::bench
