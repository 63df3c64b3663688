#include "controlplane/compile/ring.h"

#include <algorithm>
#include <numeric>
#include <queue>

namespace nezu::compile {
namespace {

constexpr uint64_t kFnvBasis = 0xcbf29ce484222325, kFnvPrime = 0x100000001b3;

/// FNV-1a, then a finaliser (splitmix64's), because FNV's high bits alone mix badly.
class Digest {
 public:
  void add(const void* bytes, size_t count) {
    const auto* at = static_cast<const uint8_t*>(bytes);
    for (size_t i = 0; i < count; ++i) {
      state_ = (state_ ^ at[i]) * kFnvPrime;
    }
  }
  void add(uint64_t value) {
    for (int i = 0; i < 8; ++i) {
      state_ = (state_ ^ ((value >> (8 * i)) & 0xff)) * kFnvPrime;
    }
  }
  void add(const tables::ServerIdentity& identity) {
    add(identity.address.bytes.data(), identity.address.bytes.size());
    add(static_cast<uint64_t>(identity.instance));
    add(identity.port);
    add(static_cast<uint64_t>(identity.protocol));
  }
  uint64_t value() const {
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

 private:
  uint64_t state_ = kFnvBasis;
};

uint64_t identity_hash(const tables::ServerIdentity& identity, uint64_t seed, uint64_t which) {
  Digest digest;
  digest.add(seed);
  digest.add(which);
  digest.add(identity);
  return digest.value();
}

bool is_prime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) {
      return false;
    }
  }
  return n >= 2;
}

/// A member's own order of the ring's entries: offset, offset + skip, ... (mod size).
struct Preference {
  uint16_t index;
  uint32_t weight;
  uint32_t next;
  uint32_t skip;
  uint64_t credit = 0;
};

std::vector<uint16_t> maglev(const RingPlan& plan) {
  const uint32_t size = plan.size != 0 ? plan.size : ring_size(plan.members.size());
  std::vector<Preference> preferences;
  uint64_t heaviest = 0;
  for (size_t i = 0; i < plan.members.size(); ++i) {
    const RingMember& member = plan.members[i];
    if (member.weight == 0) {
      continue;
    }
    heaviest = std::max<uint64_t>(heaviest, member.weight);
    preferences.push_back(
        {.index = static_cast<uint16_t>(i),
         .weight = member.weight,
         .next = static_cast<uint32_t>(identity_hash(member.identity, plan.seed, 1) % size),
         .skip =
             static_cast<uint32_t>(identity_hash(member.identity, plan.seed, 2) % (size - 1)) + 1});
  }
  if (preferences.empty()) {
    return {};
  }
  constexpr uint16_t kFree = 0xffff;
  std::vector<uint16_t> ring(size, kFree);
  for (uint32_t taken = 0; taken < size;) {
    for (Preference& member : preferences) {
      member.credit += member.weight;
      if (member.credit < heaviest) {
        continue;
      }
      member.credit -= heaviest;
      while (ring[member.next] != kFree) {
        member.next = static_cast<uint32_t>((uint64_t{member.next} + member.skip) % size);
      }
      ring[member.next] = member.index;
      if (++taken == size) {
        break;
      }
    }
  }
  return ring;
}

/// Weights divided by what they have in common; scaled to kMostTurns when their sum is above it
/// (each member keeps at least one turn).
std::vector<uint32_t> turn_counts(const RingPlan& plan) {
  uint64_t divisor = 0, sum = 0;
  for (const RingMember& member : plan.members) {
    divisor = std::gcd(divisor, uint64_t{member.weight});
    sum += member.weight;
  }
  std::vector<uint32_t> counts;
  for (const RingMember& member : plan.members) {
    if (divisor == 0 || sum / divisor <= kMostTurns) {
      counts.push_back(divisor == 0 ? 0 : static_cast<uint32_t>(member.weight / divisor));
    } else {
      const uint64_t scaled = (uint64_t{member.weight} * kMostTurns + sum / 2) / sum;
      counts.push_back(member.weight == 0 ? 0
                                          : static_cast<uint32_t>(std::max<uint64_t>(scaled, 1)));
    }
  }
  return counts;
}

/// The k-th turn of a member with `count` turns is due at (2k + 1) / (2 count) of the cycle.
struct Turn {
  uint64_t numerator;
  uint64_t count;
  uint16_t index;
  bool operator>(const Turn& other) const {
    const uint64_t mine = numerator * other.count, theirs = other.numerator * count;
    return mine != theirs ? mine > theirs : index > other.index;
  }
};

std::vector<uint16_t> turns(const RingPlan& plan) {
  const std::vector<uint32_t> counts = turn_counts(plan);
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> due;
  size_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) {
      due.push({1, counts[i], static_cast<uint16_t>(i)});
      total += counts[i];
    }
  }
  std::vector<uint16_t> order;
  order.reserve(total);
  while (order.size() < total) {
    Turn turn = due.top();
    due.pop();
    order.push_back(turn.index);
    turn.numerator += 2;
    if (turn.numerator < 2 * turn.count) {
      due.push(turn);
    }
  }
  return order;
}

std::vector<uint16_t> source(const RingPlan& plan) {
  const std::vector<uint16_t> order = turns(plan);
  if (order.empty()) {
    return {};
  }
  std::vector<uint16_t> ring(std::max<size_t>(order.size(), 256));
  for (size_t i = 0; i < ring.size(); ++i) {
    ring[i] = order[i % order.size()];
  }
  return ring;
}

}  // namespace

uint32_t ring_size(size_t member_count) {
  uint64_t size = std::max<uint64_t>(100 * uint64_t{member_count}, kSmallestRing);
  if (size >= kLargestRing) {
    return kLargestRing;
  }
  while (!is_prime(static_cast<uint32_t>(size))) {
    ++size;
  }
  return static_cast<uint32_t>(size);
}

uint64_t fingerprint(const RingPlan& plan) {
  Digest digest;
  digest.add(static_cast<uint64_t>(plan.kind));
  digest.add(plan.kind == RingKind::maglev && plan.size == 0 ? ring_size(plan.members.size())
                                                             : plan.size);
  digest.add(plan.seed);
  for (const RingMember& member : plan.members) {
    digest.add(member.identity);
    digest.add(member.weight);
  }
  return digest.value();
}

std::vector<uint16_t> build_ring(const RingPlan& plan) {
  switch (plan.kind) {
    case RingKind::maglev:
      return maglev(plan);
    case RingKind::source:
      return source(plan);
    case RingKind::turns:
      return turns(plan);
  }
  return {};
}

uint64_t name_identity(std::string_view name) {
  Digest digest;
  digest.add(name.data(), name.size());
  return digest.value();
}

}  // namespace nezu::compile
