// From an API call to the last worker having adopted it: both programs run as shipped, the data
// plane on a null port without idle sleep, and this program watches the workers' own lines in the
// region.
//
//   nezu-bench-adoption --controlplane build/controlplane/nezu-controlplane
//                       --dataplane build/dataplane/nezu-dataplane --cli build/tools/nezu/nezu
//                       [--services 1,1000,10000,64000] [--rate 1000 --rate-seconds 60]
//
// For each count of services, each with a pool and a server of its own and a Maglev ring: the whole
// configuration is streamed in, sent again, and then one service is changed again and again. With
// the last count also: the same by a YAML file and the command line, and many changes a second.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "bench/adoption/pair.h"

namespace {

using namespace nezu;
using bench::check;
using bench::Options;
using bench::Pair;
using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string address(int net, uint32_t i) {
  return "10." + std::to_string(net) + "." + std::to_string(i / 250) + "." +
         std::to_string(1 + i % 250);
}

v1::VirtualService service(uint32_t i) {
  v1::VirtualService service;
  service.set_name("service" + std::to_string(i));
  service.set_address(address(200 + static_cast<int>(i / 62500), i % 62500));
  service.set_port(80);
  service.set_pool("pool" + std::to_string(i));
  return service;
}

v1::Pool pool(uint32_t i) {
  v1::Pool pool;
  pool.set_name("pool" + std::to_string(i));
  pool.set_scheduler(v1::SCHEDULER_MH);
  v1::RealServer& server = *pool.add_servers();
  server.set_address(address(100 + static_cast<int>(i / 62500), i % 62500));
  server.set_port(80);
  return pool;
}

/// Parts of about a megabyte, as the command line sends them.
v1::ChangeResponse load(Pair& pair, uint32_t services) {
  grpc::ClientContext context;
  v1::ChangeResponse response;
  const auto writer = pair.api().ApplyStream(&context, &response);
  constexpr uint32_t kInPart = 4000;
  for (uint32_t from = 0; from < services; from += kInPart) {
    v1::ApplyStreamRequest part;
    for (uint32_t i = from; i < std::min(services, from + kInPart); ++i) {
      *part.mutable_part()->add_services() = service(i);
      *part.mutable_part()->add_pools() = pool(i);
    }
    writer->Write(part);
  }
  writer->WritesDone();
  check(writer->Finish(), "ApplyStream");
  return response;
}

void write_yaml(const std::string& path, uint32_t services) {
  std::ofstream file(path);
  file << "services:\n";
  for (uint32_t i = 0; i < services; ++i) {
    const v1::VirtualService one = service(i);
    file << "  - {name: " << one.name() << ", address: " << one.address()
         << ", port: 80, pool: " << one.pool() << "}\n";
  }
  file << "pools:\n";
  for (uint32_t i = 0; i < services; ++i) {
    const v1::Pool one = pool(i);
    file << "  - name: " << one.name()
         << "\n    scheduler: mh\n    servers:\n      - {address: " << one.servers(0).address()
         << ", port: 80}\n";
  }
}

/// Prints how long `act` took, to the reply and to the last worker, and what it cost.
template <typename Act>
void timed(Pair& pair, const char* what, FILE* json, Act act) {
  const uint64_t generation = pair.generation();
  const double cpu = pair.controlplane().cpu_seconds();
  const auto start = Clock::now();
  act();
  const double replied = milliseconds(Clock::now() - start);
  pair.wait_until_adopted(pair.generation());
  const double adopted = milliseconds(Clock::now() - start);
  const double used = pair.controlplane().cpu_seconds() - cpu;
  const auto published = static_cast<unsigned long>(pair.generation() - generation);
  std::printf("  %-38s reply %8.1f ms, adopted %8.1f ms, processor %5.2f s, published %lu\n", what,
              replied, adopted, used, published);
  if (json != nullptr) {
    std::fprintf(json,
                 "{\"what\": \"%s\", \"reply_ms\": %.1f, \"adopted_ms\": %.1f, \"cpu_s\": %.2f}\n",
                 what, replied, adopted, used);
  }
}

struct Times {
  std::vector<double> values;
  double at(double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  }
  void print(const char* what) {
    std::printf("  %-38s min %.2f, median %.2f, p99 %.2f, max %.2f ms\n", what, at(0), at(0.5),
                at(0.99), at(1));
  }
};

/// One service with another timeout.
v1::UpdateServiceRequest push(uint32_t number, uint32_t seconds) {
  v1::UpdateServiceRequest request;
  request.mutable_service()->set_name("service" + std::to_string(number));
  request.mutable_service()->mutable_timeouts()->set_established_s(seconds);
  request.mutable_update_mask()->add_paths("timeouts.established_s");
  return request;
}

/// One push after the other: how long until the reply, and until the last worker has it. What a
/// whole load leaves to be done (memory, events, a hello to each server) is over by then.
void push_one_by_one(Pair& pair, uint32_t services, uint32_t changes, FILE* json) {
  std::this_thread::sleep_for(std::chrono::seconds(5));
  Times replies, adoptions;
  for (uint32_t i = 0; i < changes; ++i) {
    const v1::UpdateServiceRequest request = push(i * 7919 % services, 100 + i % 800);
    const uint64_t before = pair.generation();
    const auto start = Clock::now();
    auto adopted = start;
    // The reply comes after publication: whether workers had it before is seen by watching beside.
    std::thread watcher([&] {
      pair.wait_until_adopted(before + 1);
      adopted = Clock::now();
    });
    grpc::ClientContext context;
    v1::ChangeResponse response;
    const grpc::Status status = pair.api().UpdateService(&context, request, &response);
    const auto replied = Clock::now();
    watcher.join();
    check(status, "UpdateService");
    replies.values.push_back(milliseconds(replied - start));
    adoptions.values.push_back(milliseconds(adopted - start));
  }
  adoptions.print("push of one service, adopted:");
  replies.print("push of one service, reply:");
  if (json != nullptr) {
    std::fprintf(json,
                 "{\"services\": %u, \"changes\": %u, \"adopted_ms\": {\"min\": %.3f, \"median\": "
                 "%.3f, \"p99\": %.3f, \"max\": %.3f}}\n",
                 services, changes, adoptions.at(0), adoptions.at(0.5), adoptions.at(0.99),
                 adoptions.at(1));
  }
}

/// `rate` changes a second, by clients that each send when their time has come and wait for their
/// answer; every answer is a change of its own. A publication follows one fdatasync, which the
/// changes that it shows share, so that generations count both.
void push_many(Pair& pair, uint32_t services, const Options& options, FILE* json) {
  constexpr uint32_t kClients = 16;
  std::atomic<uint32_t> done{0};
  std::vector<Times> times(kClients);
  std::vector<std::string> faults(kClients);
  const uint64_t before = pair.generation();
  const uint64_t memory = pair.controlplane().resident_kib();
  const double cpu = pair.controlplane().cpu_seconds();
  const auto start = Clock::now();
  const uint32_t total = options.rate * options.rate_seconds;
  std::vector<std::thread> clients;
  for (uint32_t client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      const auto api = pair.another_api();
      for (uint32_t i = client; i < total; i += kClients) {
        const auto due = start + std::chrono::nanoseconds(1'000'000'000ull * i / options.rate);
        std::this_thread::sleep_until(due);
        grpc::ClientContext context;
        v1::ChangeResponse response;
        const grpc::Status status = api->UpdateService(
            &context, push(i % services, 100 + i / services % 800 + 1), &response);
        if (!status.ok()) {
          faults[client] = status.error_message();
          return;
        }
        done += response.diff().changed();
        times[client].values.push_back(milliseconds(Clock::now() - due));
      }
    });
  }
  std::vector<uint64_t> memories;
  std::thread sampler([&] {
    while (done < total && Clock::now() - start < std::chrono::seconds(4 * options.rate_seconds)) {
      std::this_thread::sleep_for(std::chrono::seconds(5));
      memories.push_back(pair.controlplane().resident_kib());
    }
  });
  for (std::thread& client : clients) client.join();
  const double seconds = milliseconds(Clock::now() - start) / 1000;
  const uint64_t published = pair.generation() - before;
  const double used = pair.controlplane().cpu_seconds() - cpu;
  sampler.join();
  for (const std::string& fault : faults) {
    if (!fault.empty()) throw std::runtime_error(fault);
  }
  Times all;
  for (const Times& some : times) {
    all.values.insert(all.values.end(), some.values.begin(), some.values.end());
  }
  std::printf(
      "  %u changes in %.1f s: %u answered and different, %lu publications with one sync "
      "each, processor %.1f s\n",
      total, seconds, done.load(), static_cast<unsigned long>(published), used);
  all.print("from due to reply:");
  std::printf("  memory of its own: %lu KiB before;", static_cast<unsigned long>(memory));
  for (const uint64_t kib : memories) std::printf(" %lu", static_cast<unsigned long>(kib));
  std::printf("\n");
  if (json != nullptr) {
    std::fprintf(json,
                 "{\"changes\": %u, \"seconds\": %.1f, \"done\": %u, \"syncs\": %lu, \"reply_ms\": "
                 "{\"median\": %.3f, \"p99\": %.3f}, \"kib_before\": %lu, \"kib_after\": %lu}\n",
                 total, seconds, done.load(), static_cast<unsigned long>(published), all.at(0.5),
                 all.at(0.99), static_cast<unsigned long>(memory),
                 static_cast<unsigned long>(memories.empty() ? memory : memories.back()));
  }
}

void load_by_command_line(Pair& pair, const Options& options, uint32_t services, FILE* json) {
  const std::string yaml = pair.file("whole.yaml");
  write_yaml(yaml, services);
  const auto apply = [&] {
    bench::Program cli({options.cli, "--server", pair.address(), "apply", "-f", yaml},
                       pair.file("log"));
    if (cli.wait() != 0) throw std::runtime_error("nezu apply failed; see its output in the log");
  };
  load(pair, 1);
  timed(pair, "whole, by a YAML file", json, apply);
  timed(pair, "the same again, by a YAML file", json, apply);
}

void measure(Pair& pair, const Options& options, FILE* json) {
  for (const uint32_t services : options.services) {
    std::printf("%u services\n", services);
    timed(pair, "whole, by the API", json, [&] { load(pair, services); });
    timed(pair, "the same again, by the API", json, [&] { load(pair, services); });
    push_one_by_one(pair, services, options.changes, json);
  }
  const uint32_t most = options.services.back();
  if (!options.cli.empty()) load_by_command_line(pair, options, most, json);
  if (options.rate != 0) push_many(pair, most, options, json);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Time from an API call to the last worker having adopted it."};
  Options options;
  options.state_dir = std::filesystem::temp_directory_path();
  options.region_dir = "/dev/shm";
  app.add_option("--controlplane", options.controlplane, "the program")->required();
  app.add_option("--dataplane", options.dataplane, "the program")->required();
  app.add_option("--cli", options.cli, "the command line, for the YAML file");
  app.add_option("--services", options.services, "how many are present")->delimiter(',');
  app.add_option("--changes", options.changes, "measured for each")->capture_default_str();
  app.add_option("--workers", options.workers, "of the data plane")->capture_default_str();
  app.add_option("--dataplane-cores", options.dataplane_cores,
                 "as taskset takes them; without: where this program may run");
  app.add_option("--rate", options.rate, "changes a second of the long run; 0: none")
      ->capture_default_str();
  app.add_option("--rate-seconds", options.rate_seconds, "of it")->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "where the journal lies")->capture_default_str();
  app.add_option("--region-dir", options.region_dir, "where the region lies")
      ->capture_default_str();
  app.add_option("--json", options.json, "append a line for each result to this file");
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    FILE* json = options.json.empty() ? nullptr : std::fopen(options.json.c_str(), "a");
    Pair pair(options);
    measure(pair, options, json);
    if (json != nullptr) std::fclose(json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
