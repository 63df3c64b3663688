// From an API call to the last worker having adopted it: both programs run as shipped, the data
// plane on a null port without idle sleep, and this program watches the workers' own lines in the
// region.
//
//   nezu-bench-adoption --controlplane build/controlplane/nezu-controlplane
//                       --dataplane build/dataplane/nezu-dataplane [--services 1,1000,10000]
//
// For each count of services: a whole configuration is streamed in, then one server's weight is
// set again and again. Three times are taken of each: the call's reply, and every worker on its
// generation.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/tables/reader.h"
#include "nezu/v1/change.grpc.pb.h"

namespace {

using namespace nezu;
using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

struct Options {
  std::string controlplane, dataplane;
  std::vector<uint32_t> services{1, 1000, 10000};
  uint32_t changes = 200;
  uint32_t workers = 1;
  std::string json;
};

/// A child process that ends with this object.
class Program {
 public:
  Program(const std::vector<std::string>& words, const std::string& log) {
    pid_ = fork();
    if (pid_ != 0) return;
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, 1);
    dup2(out, 2);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    std::perror(arguments[0]);
    _exit(127);
  }
  ~Program() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  pid_t pid_ = -1;
};

template <typename Ready>
void wait_for(const char* what, Ready ready) {
  const auto until = Clock::now() + std::chrono::seconds(60);
  while (!ready()) {
    if (Clock::now() > until) throw std::runtime_error(std::string("no ") + what + " in 60 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

v1::Configuration configuration(uint32_t services) {
  v1::Configuration wanted;
  for (uint32_t i = 0; i < services; ++i) {
    const std::string number = std::to_string(i);
    auto* pool = wanted.add_pools();
    pool->set_name("pool" + number);
    pool->set_scheduler(v1::SCHEDULER_MH);
    auto* server = pool->add_servers();
    server->set_address("10.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
    server->set_port(80);
    auto* service = wanted.add_services();
    service->set_name("service" + number);
    service->set_address("10.2." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
    service->set_port(80);
    service->set_pool(pool->name());
  }
  return wanted;
}

void check(const grpc::Status& status, const char* call) {
  if (!status.ok()) throw std::runtime_error(std::string(call) + ": " + status.error_message());
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        directory_(std::filesystem::temp_directory_path() /
                   ("nezu-adoption-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(directory_ / "state");
    const std::string socket = "unix:" + (directory_ / "api.sock").string();
    const std::string log = directory_ / "log";
    controlplane_ = std::make_unique<Program>(
        std::vector<std::string>{options.controlplane, "--region-dir", directory_, "--state-dir",
                                 directory_ / "state", "--listen", socket, "--max-services",
                                 "65536", "--max-pools", "65536", "--max-servers", "65536",
                                 "--max-addresses", "65536", "--heap-mib", "1024"},
        log);
    wait_for("region", [this] {
      region_ = tables::Region::open_reader(directory_).region;
      return region_ != nullptr;
    });
    dataplane_ = std::make_unique<Program>(std::vector<std::string>{options.dataplane,
                                                                    "--region-dir",
                                                                    directory_,
                                                                    "--state-dir",
                                                                    directory_ / "state",
                                                                    "--workers",
                                                                    std::to_string(options.workers),
                                                                    "--flows",
                                                                    "65536",
                                                                    "--flows6",
                                                                    "4096",
                                                                    "--twin-prefix",
                                                                    "nb-",
                                                                    "--port",
                                                                    "name=p0,dev=net_null0",
                                                                    "--",
                                                                    "--no-huge",
                                                                    "-m",
                                                                    "256",
                                                                    "--no-pci",
                                                                    "--vdev",
                                                                    "net_null0",
                                                                    "--file-prefix",
                                                                    "nezu-adoption"},
                                           log);
    wait_for("worker", [this] { return workers().size() >= options_.workers; });
    stub_ = v1::ConfigurationService::NewStub(
        grpc::CreateChannel(socket, grpc::InsecureChannelCredentials()));
  }
  ~Bench() {
    dataplane_.reset();
    controlplane_.reset();
    region_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void load(uint32_t services) {
    const auto start = Clock::now();
    grpc::ClientContext context;
    v1::ChangeResponse response;
    v1::ApplyStreamRequest request;
    *request.mutable_part() = configuration(services);
    const auto writer = stub_->ApplyStream(&context, &response);
    writer->Write(request);
    writer->WritesDone();
    check(writer->Finish(), "ApplyStream");
    const auto replied = Clock::now();
    wait_until_adopted(response.generation());
    std::printf("  whole configuration: reply %.1f ms, adopted %.1f ms\n",
                milliseconds(replied - start), milliseconds(Clock::now() - start));
  }

  /// One change; how long until the reply, and until the last worker has it.
  std::pair<double, double> change(uint32_t weight) {
    grpc::ClientContext context;
    v1::SetServerWeightRequest request;
    v1::ChangeResponse response;
    request.set_pool("pool0");
    request.mutable_server()->set_address("10.1.0.1");
    request.mutable_server()->set_port(80);
    request.set_weight(weight);
    const uint64_t before = region_->root()->generation;
    const auto start = Clock::now();
    auto adopted = start;
    std::atomic<bool> done{false};
    // The reply comes after publication: whether workers had it before is seen by watching beside.
    std::thread watcher([&] {
      wait_until_adopted(before + 1);
      adopted = Clock::now();
      done = true;
    });
    const grpc::Status status = stub_->SetServerWeight(&context, request, &response);
    const auto replied = Clock::now();
    watcher.join();
    check(status, "SetServerWeight");
    return {milliseconds(replied - start), milliseconds(adopted - start)};
  }

 private:
  std::vector<tables::ReaderPosition> workers() const {
    auto positions = tables::reader_positions(*region_);
    std::erase_if(positions, [](const tables::ReaderPosition& position) {
      return !position.name.starts_with("worker");
    });
    return positions;
  }
  void wait_until_adopted(uint64_t generation) const {
    for (uint32_t i = 0; i < tables::kMaxReaders; ++i) {
      const tables::ReaderLine& line = region_->reader(i);
      const std::string_view name = line.name.data();
      if (line.owner.load(std::memory_order_acquire) == 0 || !name.starts_with("worker")) continue;
      while (line.generation.load(std::memory_order_acquire) < generation) {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    }
  }

  Options options_;
  std::filesystem::path directory_;
  std::unique_ptr<tables::Region> region_;
  std::unique_ptr<Program> controlplane_, dataplane_;
  std::unique_ptr<v1::ConfigurationService::Stub> stub_;
};

double at(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void measure(Bench& bench, uint32_t services, uint32_t changes, FILE* json) {
  std::printf("%u services\n", services);
  bench.load(services);
  std::vector<double> replies, adoptions;
  for (uint32_t i = 0; i < changes; ++i) {
    const auto [reply, adopted] = bench.change(2 + i % 50);
    replies.push_back(reply);
    adoptions.push_back(adopted);
  }
  std::sort(replies.begin(), replies.end());
  std::sort(adoptions.begin(), adoptions.end());
  std::printf("  one change to adoption: min %.2f, median %.2f, p99 %.2f, max %.2f ms\n",
              adoptions.front(), at(adoptions, 0.5), at(adoptions, 0.99), adoptions.back());
  std::printf("  one change to reply:    min %.2f, median %.2f, p99 %.2f, max %.2f ms\n",
              replies.front(), at(replies, 0.5), at(replies, 0.99), replies.back());
  if (json != nullptr) {
    std::fprintf(json,
                 "{\"services\": %u, \"changes\": %u, \"adopted_ms\": {\"min\": %.3f, \"median\": "
                 "%.3f, \"p99\": %.3f, \"max\": %.3f}}\n",
                 services, changes, adoptions.front(), at(adoptions, 0.5), at(adoptions, 0.99),
                 adoptions.back());
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Time from an API call to the last worker having adopted it."};
  Options options;
  app.add_option("--controlplane", options.controlplane, "the program")->required();
  app.add_option("--dataplane", options.dataplane, "the program")->required();
  app.add_option("--services", options.services, "how many are present")->delimiter(',');
  app.add_option("--changes", options.changes, "measured for each")->capture_default_str();
  app.add_option("--workers", options.workers, "of the data plane")->capture_default_str();
  app.add_option("--json", options.json, "append a line for each count to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    FILE* json = options.json.empty() ? nullptr : std::fopen(options.json.c_str(), "a");
    Bench bench(options);
    for (const uint32_t services : options.services) {
      measure(bench, services, options.changes, json);
    }
    if (json != nullptr) std::fclose(json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
