// nezu-count-micro: one case for so many rounds, for callgrind; see compare.py.
//
//   nezu-count-micro                    lists "group name against"
//   nezu-count-micro GROUP NAME ROUNDS
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/micro/cases.h"

int main(int count, char** arguments) {
  for (const auto list : nezu::bench::kLists) {
    for (const nezu::bench::Case& each : list()) {
      if (count == 1) {
        std::printf("%s %s %s\n", each.group.data(), each.name.data(),
                    each.against.empty() ? "-" : each.against.data());
      } else if (count == 4 && each.group == arguments[1] && each.name == arguments[2]) {
        each.run(std::strtoull(arguments[3], nullptr, 10));
        return 0;
      }
    }
  }
  return count == 1 ? 0 : 1;
}
