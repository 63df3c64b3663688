#include "dataplane/device/eal.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <sched.h>

#include <stdexcept>

namespace nezu::device {
namespace {

/// CPUs of the process before EAL pinned the main thread.
cpu_set_t& first_affinity() {
  static cpu_set_t set;
  return set;
}

int run_on_lcore(void* function) {
  (*static_cast<std::function<void()>*>(function))();
  return 0;
}

}  // namespace

Eal::Eal(const std::string& program, const std::vector<std::string>& arguments) {
  sched_getaffinity(0, sizeof(cpu_set_t), &first_affinity());
  // EAL keeps pointers into what it is given and reorders them.
  static std::vector<std::string> words;
  words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
    throw std::runtime_error(std::string("DPDK does not start with these EAL arguments: ") +
                             rte_strerror(rte_errno));
  }
}

Eal::~Eal() { rte_eal_cleanup(); }

uint32_t Eal::worker_lcores() { return rte_lcore_count() - 1; }

Threads::Threads(const Eal&, std::vector<std::function<void()>> workers)
    : workers_(std::move(workers)), pinned_(Eal::worker_lcores() >= workers_.size()) {
  if (pinned_) {
    unsigned lcore = rte_get_next_lcore(-1, 1, 0);
    for (auto& worker : workers_) {
      rte_eal_remote_launch(run_on_lcore, &worker, lcore);
      lcores_.push_back(lcore);
      lcore = rte_get_next_lcore(lcore, 1, 0);
    }
    return;
  }
  for (auto& worker : workers_) {
    threads_.emplace_back([&worker] {
      pthread_setaffinity_np(pthread_self(), sizeof(cpu_set_t), &first_affinity());
      rte_thread_register();  // without one it works as well, only without a cache of buffers
      worker();
      rte_thread_unregister();
    });
  }
}

void Threads::join() {
  for (const uint32_t lcore : lcores_) rte_eal_wait_lcore(lcore);
  for (std::thread& thread : threads_) thread.join();
  lcores_.clear();
  threads_.clear();
}

uint64_t tsc_hz() { return rte_get_tsc_hz(); }

}  // namespace nezu::device
