// DPDK's own hash and longest-prefix match over the same keys; only where DPDK is there.
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lpm.h>

#include <cstdio>
#include <cstdlib>

#include "bench/micro/cases.h"
#include "bench/micro/sets.h"

namespace nezu::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "library.cc: %s\n", what);
  std::exit(1);
}

/// DPDK without huge pages, devices or files.
void start() {
  static const bool started = [] {
    const char* arguments[] = {"micro",    "--no-huge",      "-m",          "256",
                               "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=error"};
    return rte_eal_init(static_cast<int>(std::size(arguments)), const_cast<char**>(arguments)) >= 0;
  }();
  if (!started) fail("DPDK does not start");
}

rte_hash* make_hash(const char* name, bool filled) {
  start();
  rte_hash_parameters parameters{};
  parameters.name = name;
  parameters.entries = 2 * kKeys;
  parameters.key_len = sizeof(net::Tuple4);
  parameters.hash_func = rte_hash_crc;
  rte_hash* hash = rte_hash_create(&parameters);
  if (hash == nullptr) fail("no rte_hash");
  if (filled) {
    for (const net::Tuple4& key : keys()) rte_hash_add_key(hash, &key);
  }
  return hash;
}

void find_one(uint64_t rounds) {
  static const rte_hash* hash = make_hash("one", true);
  for (; rounds != 0; --rounds) {
    auto found = rte_hash_lookup(hash, &keys()[rounds % kKeys]);
    keep(found);
  }
}
void find_bulk(uint64_t rounds) {
  static const rte_hash* hash = make_hash("bulk", true);
  constexpr uint32_t kBulk = 64;
  const void* asked[kBulk];
  int32_t found[kBulk];
  for (uint64_t done = 0; done < rounds; done += kBulk) {
    for (uint32_t i = 0; i < kBulk; ++i) asked[i] = &keys()[(done + i) % kKeys];
    rte_hash_lookup_bulk(hash, asked, kBulk, found);
    keep(found);
  }
}
void change(uint64_t rounds) {
  static const rte_hash* hash = make_hash("change", false);
  for (; rounds != 0; --rounds) {
    const net::Tuple4& key = keys()[rounds % kKeys];
    const net::Tuple4 back = key.mirrored();
    rte_hash_add_key(hash, &key);
    rte_hash_add_key(hash, &back);
    rte_hash_del_key(hash, &key);
    rte_hash_del_key(hash, &back);
  }
}
void route(uint64_t rounds) {
  static rte_lpm* lpm = [] {
    start();
    rte_lpm_config config{};
    config.max_rules = 2 * kPrefixes;
    config.number_tbl8s = 256;
    rte_lpm* made = rte_lpm_create("routes", 0, &config);
    if (made == nullptr) fail("no rte_lpm");
    for (uint32_t i = 0; i < kPrefixes; ++i) {
      rte_lpm_add(made, prefix(i).address, prefix(i).length, i + 1);
    }
    return made;
  }();
  for (; rounds != 0; --rounds) {
    uint32_t found = 0;
    rte_lpm_lookup(lpm, target(rounds), &found);
    keep(found);
  }
}

constexpr Case kCases[] = {
    {"flow_find", "rte_hash", "", find_one},
    {"flow_find", "rte_hash_bulk", "", find_bulk},
    {"flow_change", "rte_hash", "", change},
    {"route", "rte_lpm", "", route},
};

}  // namespace

std::span<const Case> library_cases() { return kCases; }

}  // namespace nezu::bench
