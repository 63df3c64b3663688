// What the micro benches run: small operations of the packet path beside their counterparts.
//
// One list serves two programs: nezu-bench-micro (Google Benchmark: time) and nezu-count-micro (one
// case for so many rounds: under callgrind, instructions). A case with a `against` is claimed to
// need at most 5 % more instructions than that one of its group.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace nezu::bench {

struct Case {
  std::string_view group;
  std::string_view name;
  std::string_view against;  ///< name of its counterpart; empty: shown, not compared
  void (*run)(uint64_t rounds);
};

std::span<const Case> edit_cases();
std::span<const Case> parse_cases();
std::span<const Case> sum_cases();
std::span<const Case> table_cases();
std::span<const Case> library_cases();

/// Every list; whoever adds one names it here.
inline constexpr std::span<const Case> (*kLists[])() = {edit_cases, parse_cases, sum_cases,
                                                        table_cases, library_cases};

/// The value is needed and may have changed: neither dropped nor moved out of a loop.
template <typename T>
inline void keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

}  // namespace nezu::bench
