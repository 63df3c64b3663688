// An explanation: a frame, and what the running data plane would do with it, stage by stage.
//
// The control plane leaves an order, the housekeeper an answer of the same number. Either may die
// in between: an order says until when somebody reads its answer, and an answer of another number
// is nobody's. Both are bytes of another process and are judged before use (`is_sound`); truths are
// bytes, 0 or not.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/reason.h"
#include "dataplane/tables/blocks.h"
#include "dataplane/tables/flow_record.h"

namespace nezu::tables {

inline constexpr uint32_t kLeastExplained = 14;   ///< bytes: an Ethernet header
inline constexpr uint32_t kMostExplained = 2048;  ///< bytes of a frame that is explained
/// Bytes of what it becomes: tunnels, PROXY headers and the other family make it longer.
inline constexpr uint32_t kMostExplainedAfter = kMostExplained + 256;

struct ExplainOrder {
  uint64_t until = 0;  ///< boot-time ns after which nobody reads the answer
  uint32_t length = 0;
  uint16_t port = 0;  ///< by which the frame comes in
  uint16_t reserved = 0;
  std::array<uint8_t, kMostExplained> frame{};
};

/// Where a packet's fate was decided: `receive` is the port, the rest are the path's stages.
enum class ExplainStage : uint8_t {
  receive,
  parse,
  answer,
  find,
  admit,
  track,
  choose_way,
  translate,
  dispatch,
};

/// Why there is nothing to say; `none`: there is.
enum class ExplainFault : uint8_t {
  none,
  unsound,        ///< the order makes no sense to this data plane
  port_unknown,   ///< there is no such port
  worker_silent,  ///< `silent` did not say what it knows in time
};

/// One worker's part.
struct ExplainedPass {
  uint16_t worker = 0;
  uint16_t owner = 0;  ///< hand_over: the next worker. split: the longest IP packet to come
  ExplainStage decided = ExplainStage::receive;
  net::Verdict verdict = net::Verdict::undecided;
  net::Reason reason = net::Reason::none;
  uint8_t is_piece = 0;  ///< the first piece of what was too long, through the stages again
};

/// Whose address it is that the packet goes to.
enum class Whose : uint8_t {
  somebody,  ///< nobody's here
  vip,
  snat,
  prefix,  ///< within a prefix of services
  kernel,  ///< the kernel's own, on a twin
};

enum class FlowOrigin : uint8_t {
  none,      ///< it goes on, or ends, without a flow
  known,     ///< the worker has it
  opened,    ///< this packet would open it
  reopened,  ///< the same, in place of one that is dying
};

/// What the parser found; without a tuple only the shape counts.
struct ExplainedPacket {
  net::Shape shape = net::Shape::other;
  net::Family family = net::Family::ipv4;
  net::Protocol protocol = net::Protocol::any;
  uint8_t tcp_flags = 0;
  uint8_t is_parsed = 0;
  uint8_t is_first_fragment = 0;
  uint16_t vlan = 0;  ///< 0: untagged
  net::Instance instance = net::Instance::standard;
  uint16_t source_port = 0, destination_port = 0;  ///< host order; of ICMP errors the inner ones
  uint16_t reserved = 0;
  net::Address source, destination;
};

/// Where it was asked for a way out.
struct ExplainedWay {
  uint8_t exists = 0;
  uint8_t state = 0;  ///< route::HopState
  uint16_t port = 0;
  uint16_t vlan = 0;
  uint16_t mtu = 0;
  net::Address gateway;  ///< who is asked for the MAC; unspecified: nobody yet
};

inline constexpr uint32_t kMostExplainedPasses = 4;

struct Explanation {
  uint64_t generation = 0;  ///< of the tables; 0: not ready
  ExplainFault fault = ExplainFault::none;
  uint8_t pass_count = 0;
  uint16_t silent = 0;
  uint16_t owner = 0;  ///< worker; of packets that flows are looked up for
  uint8_t has_owner = 0;
  Whose whose = Whose::somebody;
  std::array<ExplainedPass, kMostExplainedPasses> passes{};
  ExplainedPacket packet;
  // What admission was asked.
  ServiceId service = no_id<ServiceId>();  ///< that takes what goes there; of a flow: its own
  uint8_t is_persistent = 0;               ///< clients of the service stay on a server
  uint8_t is_crowded = 0;                  ///< the owner's table has no room for one more
  FlowOrigin origin = FlowOrigin::none;
  uint8_t is_to_server = 0;
  ServerId kept = no_id<ServerId>();  ///< on which persistence has the client
  Mode mode = Mode::nat;              ///< of the flow
  uint8_t is_exact = 0;  ///< all ports in `flow` and `frame` are those that it would get
  uint16_t egress = 0;   ///< forward, across, both, hold: the port
  FlowRecord flow{};     ///< unless `origin` is none
  ExplainedWay way;
  net::Address awaited;  ///< hold
  uint16_t pieces = 0;   ///< split: how many
  uint16_t reserved = 0;
  uint32_t length = 0;  ///< bytes of the frame as it leaves; 0: nothing leaves
  std::array<uint8_t, kMostExplainedAfter> frame{};
};

/// Whether every number in it is one that exists. For bytes of any origin.
bool is_sound(const ExplainOrder& order);
bool is_sound(const Explanation& explanation);

}  // namespace nezu::tables
