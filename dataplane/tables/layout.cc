#include "dataplane/tables/layout.h"

namespace nezu::tables {
namespace {

class Fnv {
 public:
  constexpr void add(uint64_t value) {
    for (int i = 0; i < 8; ++i) {
      hash_ = (hash_ ^ (value >> (8 * i) & 0xff)) * 0x100000001b3;
    }
  }
  constexpr uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

uint64_t layout_hash() {
  Fnv hash;
  for (const uint64_t part :
       {uint64_t{kLayoutRevision}, kMagic, uint64_t{kMaxReaders}, uint64_t{kMaxPorts},
        uint64_t{kShardCount}, uint64_t{kPageSlots}, uint64_t{kDirectoryPages},
        uint64_t{kPageBuckets}, uint64_t{net::kTicksPerSecond}, uint64_t{kTimeoutCount},
        // Where the last field of each block stands shows most changes before it.
        sizeof(Header), offsetof(Header, sizes), offsetof(Header, heap_offset),
        offsetof(Header, root), offsetof(Header, capture), sizeof(ReaderLine),
        offsetof(ReaderLine, name), sizeof(WorkerLine), offsetof(WorkerLine, reserved),
        sizeof(ServiceCounters), sizeof(ServerCounters), sizeof(AddressGauge), sizeof(PortLine),
        offsetof(PortLine, steering), sizeof(Request), offsetof(Request, filter), sizeof(Reply),
        offsetof(Reply, flow), sizeof(FlowRecord), sizeof(Event), offsetof(Event, text),
        sizeof(RequestRing), sizeof(ReplyRing), sizeof(EventRing), sizeof(ServiceKey),
        sizeof(Service), offsetof(Service, timeouts), offsetof(Service, base),
        offsetof(Service, name), sizeof(SnatSet), sizeof(ServerIdentity), sizeof(Member),
        offsetof(Member, state), sizeof(Ring), sizeof(Pool), offsetof(Pool, sequence),
        offsetof(Pool, name), offsetof(Member, max_flows), offsetof(Server, failed_since),
        offsetof(Service, failed_flows), offsetof(Service, access), offsetof(Service, persistence),
        offsetof(Service, limits), offsetof(Header, persistent_clients), sizeof(AccessList),
        offsetof(Root, instance_access), sizeof(InstanceAccess), sizeof(Server),
        offsetof(Server, base), sizeof(LocalAddress), offsetof(LocalAddress, rule_count),
        sizeof(Rule), offsetof(Service, client_prefix), offsetof(Service, return_to_sender),
        offsetof(ServiceKey, last_port), offsetof(Root, prefixes), offsetof(PortLine, side),
        sizeof(HashCell), sizeof(HashPage), sizeof(HashDirectory), sizeof(Settings),
        sizeof(Membership), sizeof(Memberships), sizeof(Bridge), sizeof(BridgeLine), sizeof(Root),
        offsetof(Root, settings), sizeof(SourceRules), sizeof(SourceRule), sizeof(SourcePrefix),
        sizeof(CaptureLease), sizeof(CaptureStep), sizeof(CaptureOrder), sizeof(CapturedHead),
        sizeof(CaptureRing), offsetof(Header, explanation), sizeof(ExplainOrder),
        sizeof(Explanation), offsetof(Explanation, flow), offsetof(Explanation, frame)}) {
    hash.add(part);
  }
  return hash.value();
}

}  // namespace nezu::tables
