#include "bench/adoption/pair.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace nezu::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Ready>
void wait_for(const char* what, Ready ready) {
  const auto until = Clock::now() + std::chrono::seconds(60);
  while (!ready()) {
    if (Clock::now() > until) throw std::runtime_error(std::string("no ") + what + " in 60 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

}  // namespace

Program::Program(const std::vector<std::string>& words, const std::string& log) {
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

Program::~Program() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

int Program::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

uint64_t Program::resident_kib() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  uint64_t total = 0, kib = 0;
  // The region is a mapping of both programs: only what is this one's own may grow or not.
  for (std::string word; status >> word;) {
    if (word == "RssAnon:" && status >> kib) total += kib;
  }
  return total;
}

double Program::cpu_seconds() const {
  std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream rest(text.substr(text.rfind(')') + 2));
  std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return (std::stod(fields.at(11)) + std::stod(fields.at(12))) / ticks;
}

Pair::Pair(const Options& options)
    : folder_(std::filesystem::path(options.state_dir) /
              ("nezu-adoption-" + std::to_string(getpid()))),
      region_folder_(std::filesystem::path(options.region_dir) / folder_.filename()) {
  std::filesystem::create_directories(folder_ / "state");
  std::filesystem::create_directories(region_folder_);
  const std::string folders =
      " --region-dir " + region_folder_.string() + " --state-dir " + file("state");
  controlplane_ = std::make_unique<Program>(
      words_of(options.controlplane + folders + " --listen " + address() +
               " --max-services 65536 --max-pools 65536 --max-servers 65536"
               " --max-addresses 65536 --heap-mib 1024"),
      file("log"));
  wait_for("region", [this] {
    region_ = tables::Region::open_reader(region_folder_).region;
    return region_ != nullptr;
  });
  dataplane_ = std::make_unique<Program>(
      words_of(
          (options.dataplane_cores.empty()
               ? ""
               : "/usr/bin/taskset -c " + options.dataplane_cores + " ") +
          options.dataplane + folders + " --workers " + std::to_string(options.workers) +
          " --flows 65536 --flows6 4096 --twin-prefix nb- --port name=p0,dev=net_null0"
          " -- --no-huge -m 256 --no-pci --vdev net_null0,no-rx=1 --file-prefix nezu-adoption"),
      file("log"));
  wait_for("worker", [&] { return workers() >= options.workers; });
  api_ = another_api();
}

Pair::~Pair() {
  dataplane_.reset();
  controlplane_.reset();
  region_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove_all(region_folder_, ignored);
}

std::unique_ptr<v1::ConfigurationService::Stub> Pair::another_api() const {
  grpc::ChannelArguments own;
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  own.SetMaxReceiveMessageSize(-1);
  return v1::ConfigurationService::NewStub(
      grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), own));
}

uint64_t Pair::generation() const {
  const tables::Root* root = region_->root();
  return root != nullptr ? root->generation : 0;
}

size_t Pair::workers() const {
  auto positions = tables::reader_positions(*region_);
  std::erase_if(positions, [](const tables::ReaderPosition& position) {
    return !position.name.starts_with("worker");
  });
  return positions.size();
}

void Pair::wait_until_adopted(uint64_t generation) const {
  for (uint32_t i = 0; i < tables::kMaxReaders; ++i) {
    const tables::ReaderLine& line = region_->reader(i);
    const std::string_view name = line.name.data();
    if (line.owner.load(std::memory_order_acquire) == 0 || !name.starts_with("worker")) continue;
    while (line.generation.load(std::memory_order_acquire) < generation) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
}

void check(const grpc::Status& status, const char* call) {
  if (!status.ok()) throw std::runtime_error(std::string(call) + ": " + status.error_message());
}

}  // namespace nezu::bench
