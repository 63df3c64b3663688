#include "dataplane/device/gate.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "dataplane/device/buffer.h"
#include "dataplane/forward/pieces.h"
#include "dataplane/net/headers.h"

namespace nezu::device {

using net::Packet;
using net::Reason;

namespace {
constexpr uint32_t kMostLent = 256;  // packets of other threads in one turn
}

Gate::Gate(Ports& ports, uint16_t thread) : ports_(ports), thread_(thread) {
  if (thread + 1 < ports.threads()) sources_ = ports.sources_of(thread);
  exits_.resize(ports.all().size());
  for (const Port& port : ports.all()) {
    Exit& exit = exits_[port.number];
    const Ports::Exit ours = ports.exit_of(port.number, thread);
    exit.device = port.device;
    exit.queue = ours.queue;
    exit.own = ours.owner == thread;
    exit.sends_segments = port.plan.sends_segments;
    exit.sums_sent = port.plan.sums_sent && exit.own;
    exit.sums_received = port.plan.sums_received;
    for (uint16_t other = 0; other < ports.threads(); ++other) {
      if (other != thread && ports.exit_of(port.number, other).owner == thread) {
        exit.lenders.push_back(other);
      }
    }
  }
}

Gate::~Gate() { flush(); }

void Gate::count(Reason reason, uint64_t packets) {
  if (line_ != nullptr) line_->reasons[static_cast<size_t>(reason)].add(packets);
}

void Gate::show(rte_mbuf* buffer, uint16_t port, Reason reason) {
  if (recorder_ == nullptr || !recorder_->is_on()) [[likely]]
    return;
  Packet packet;
  packet.arrive(rte_pktmbuf_mtod(buffer, uint8_t*), buffer, buffer->data_len, buffer->pkt_len, 0,
                port);
  recorder_->lost(packet, reason);
}

/// It ends here.
void Gate::refuse(rte_mbuf* buffer, uint16_t port, Reason reason) {
  count(reason, 1);
  show(buffer, port, reason);
  release(buffer);
}

capture::Buffers Gate::buffers() {
  return {[](const Packet& packet, std::span<uint8_t> out) {
            std::memcpy(out.data(), packet.head, packet.head_length);
            size_t at = packet.head_length;
            for (const rte_mbuf* part = mbuf_of(packet)->next; part != nullptr && at < out.size();
                 part = part->next) {
              const size_t length = std::min<size_t>(part->data_len, out.size() - at);
              std::memcpy(out.data() + at, rte_pktmbuf_mtod(part, const uint8_t*), length);
              at += length;
            }
          },
          [](Packet& packet) { settle(packet); }};
}

bool Gate::is_for_us(const Packet& packet, uint16_t port) const {
  const Port& ours = ports_.all()[port];
  return ours.plan.filters_mac || ports_.lets_all_in(port) || packet.head_length < 6 ||
         (packet.head[0] & 1) != 0 || std::memcmp(packet.head, ours.mac.bytes.data(), 6) == 0;
}

void Gate::receive(uint32_t source, net::Burst& burst) {
  const auto [port, queue] = sources_[source];
  rte_mbuf* buffers[net::kBurstCapacity];
  // Not the whole burst at once: a turn stays short, and caches warm.
  constexpr uint16_t kMost = 32;
  const uint16_t received = rte_eth_rx_burst(exits_[port].device, queue, buffers, kMost);
  const bool checks_sums = exits_[port].sums_received;
  burst.count = 0;
  for (uint16_t i = 0; i < received; ++i) {
    if (i + 4 < received) __builtin_prefetch(rte_pktmbuf_mtod(buffers[i + 4], void*));
    Packet& packet = burst.packets[burst.count];
    const Reason fault = checks_sums ? fault_of(buffers[i]) : Reason::none;
    if (fault != Reason::none) [[unlikely]] {
      refuse(buffers[i], port, fault);
    } else if (!arrive(packet, buffers[i], port)) {
      refuse(buffers[i], port, Reason::buffer_missing);
    } else if (!is_for_us(packet, port)) {
      refuse(buffers[i], port, Reason::mac_other);
    } else {
      ++burst.count;
    }
  }
  if (line_ != nullptr && received != 0) line_->bursts.add(1);
}

void Gate::take(std::span<const steer::Given> given, net::Burst& burst) {
  burst.count = 0;
  for (const steer::Given& one : given) {
    auto* buffer = static_cast<rte_mbuf*>(one.buffer);
    Packet& packet = burst.packets[burst.count++];
    arrive(packet, buffer, buffer->port);
    packet.handed_over = true;
    packet.knows_ports = one.knows_ports;
    packet.ports = one.ports;
  }
}

Packet& Gate::take(void* buffer, net::Burst& burst) {
  const steer::Given given{buffer};
  take({&given, 1}, burst);
  return burst.packets[0];
}

void Gate::send(Packet& packet, uint16_t port) {
  depart(packet);
  Exit& exit = exits_[port];
  if (packet.sum_l4) [[unlikely]] {
    if (exit.sums_sent && ask_for_sums(packet)) {
      exit.asks = true;
    } else {
      sum_up(packet);
    }
  }
  add(mbuf_of(packet), port);
}

bool Gate::send_copy(Packet& packet, uint16_t port) {
  settle(packet);
  rte_mbuf* copy = rte_pktmbuf_copy(mbuf_of(packet), ports_.whole_pool(port), 0, UINT32_MAX);
  if (copy == nullptr) {
    count(Reason::buffer_missing, 1);
    return false;
  }
  add(copy, port);
  return true;
}

uint32_t Gate::split(Packet& packet, uint16_t longest, std::span<steer::Given> out) {
  settle(packet);
  forward::Pieces pieces(packet, longest);
  if (pieces.count() > out.size()) return 0;
  for (uint32_t i = 0; i < pieces.count(); ++i) {
    const forward::Pieces::Piece piece = pieces.piece(i);
    const auto headers = static_cast<uint32_t>(piece.headers.size());
    const Blank blank = blank_buffer(packet.port);
    const bool fits = blank.buffer != nullptr && headers + piece.length <= blank.room;
    if (!fits) {
      if (blank.buffer != nullptr) release(blank.buffer);
      for (const steer::Given& one : out.first(i)) release(one.buffer);
      return 0;
    }
    std::memcpy(blank.bytes, piece.headers.data(), headers);
    const void* payload =
        rte_pktmbuf_read(mbuf_of(packet), piece.from, piece.length, blank.bytes + headers);
    if (payload != blank.bytes + headers) {
      std::memcpy(blank.bytes + headers, payload, piece.length);
    }
    rte_pktmbuf_append(blank.buffer, static_cast<uint16_t>(headers + piece.length));
    blank.buffer->port = packet.port;
    out[i] = {blank.buffer, packet.ports, true};
  }
  return pieces.count();
}

void Gate::add(rte_mbuf* buffer, uint16_t port) {
  Exit& exit = exits_[port];
  if (buffer->nb_segs > 1 && !exit.sends_segments) {
    rte_mbuf* one = joined(buffer, ports_.whole_pool(port));
    if (one == nullptr) return refuse(buffer, port, Reason::buffer_missing);
    buffer = one;
  }
  exit.bytes += buffer->pkt_len;
  exit.waiting[exit.count++] = buffer;
  if (exit.count == net::kBurstCapacity) transmit(exit, port);
}

/// How many of those that wait could leave.
uint32_t Gate::leave(Exit& exit, uint16_t port) {
  uint32_t gone = 0;
  if (!exit.own) {
    auto& ring = ports_.ring(port, thread_);
    while (gone < exit.count && ring.push(exit.waiting[gone])) ++gone;
    ring.publish();
    return gone;
  }
  uint32_t ready = exit.count;
  if (exit.asks) {
    ready = rte_eth_tx_prepare(exit.device, exit.queue, exit.waiting,
                               static_cast<uint16_t>(exit.count));
  }
  // A queue that is full now is often free a moment later; not waited for longer.
  for (int tries = 0; gone < ready && tries < 3; ++tries) {
    gone += rte_eth_tx_burst(exit.device, exit.queue, exit.waiting + gone,
                             static_cast<uint16_t>(ready - gone));
  }
  return gone;
}

/// Sends what waits; `lent`: for other threads, which have counted it as sent.
void Gate::transmit(Exit& exit, uint16_t port, bool lent) {
  const bool up = ports_.has_link(port);
  const uint32_t gone = up ? leave(exit, port) : 0;
  const uint32_t left = exit.count - gone;
  if (left != 0) [[unlikely]] {
    const Reason reason = up ? Reason::transmit_full : Reason::port_down;
    count(reason, left);
    for (uint32_t i = gone; i < exit.count; ++i) {
      exit.bytes -= exit.waiting[i]->pkt_len;
      show(exit.waiting[i], port, reason);
    }
    rte_pktmbuf_free_bulk(exit.waiting + gone, left);
  }
  if (line_ != nullptr && !lent) {
    line_->sent.add(gone);
    line_->sent_bytes.add(exit.bytes);
  }
  exit.count = 0;
  exit.bytes = 0;
  exit.asks = false;
}

uint32_t Gate::flush() {
  uint32_t lent_packets = 0;
  for (uint16_t port = 0; port < exits_.size(); ++port) {
    Exit& exit = exits_[port];
    if (exit.count != 0) transmit(exit, port);
    // Others in turn, not all that they have: this thread's own turn stays short.
    for (size_t i = 0; i < exit.lenders.size() && lent_packets < kMostLent; ++i) {
      lent_packets += send_lent(exit, port, exit.lenders[exit.next_lender]);
      exit.next_lender = exit.next_lender + 1 < exit.lenders.size() ? exit.next_lender + 1 : 0;
    }
  }
  return lent_packets;
}

uint32_t Gate::send_lent(Exit& exit, uint16_t port, uint16_t lender) {
  void* lent[net::kBurstCapacity];
  exit.count = ports_.ring(port, lender).pop(std::span<void*>(lent));
  if (exit.count == 0) return 0;
  for (uint32_t i = 0; i < exit.count; ++i) {
    exit.waiting[i] = static_cast<rte_mbuf*>(lent[i]);
    exit.bytes += exit.waiting[i]->pkt_len;
  }
  const uint32_t count = exit.count;
  transmit(exit, port, true);
  return count;
}

Gate::Blank Gate::blank_buffer(uint16_t port) {
  rte_mbuf* buffer = rte_pktmbuf_alloc(ports_.whole_pool(port));
  if (buffer == nullptr) return {};
  return {buffer, rte_pktmbuf_mtod(buffer, uint8_t*), rte_pktmbuf_tailroom(buffer)};
}

void Gate::send_blank(const Blank& blank, uint32_t length, uint16_t port) {
  if (length == 0) return release(blank.buffer);
  rte_pktmbuf_append(blank.buffer, static_cast<uint16_t>(length));
  add(blank.buffer, port);
}

void Gate::put_tag(uint8_t* frame, uint16_t vlan) {
  constexpr size_t kAddresses = offsetof(net::Ethernet, type);
  std::memmove(frame, frame + kTagBytes, kAddresses);
  auto* ethernet = reinterpret_cast<net::Ethernet*>(frame);
  ethernet->type = net::kEtherVlan;
  reinterpret_cast<net::Vlan*>(ethernet + 1)->control = vlan;
}

bool Gate::send_frame(std::span<const uint8_t> frame, uint16_t port, uint16_t vlan) {
  return send_filled(port, vlan, [&](std::span<uint8_t> room) -> uint32_t {
    if (frame.size() > room.size()) return 0;
    std::memcpy(room.data(), frame.data(), frame.size());
    return static_cast<uint32_t>(frame.size());
  });
}

void* Gate::make(std::span<const uint8_t> frame, uint16_t port) {
  const Blank blank = blank_buffer(port);
  if (blank.buffer == nullptr) return nullptr;
  std::memcpy(blank.bytes, frame.data(), frame.size());
  rte_pktmbuf_append(blank.buffer, static_cast<uint16_t>(frame.size()));
  blank.buffer->port = port;
  return blank.buffer;
}

void Gate::settle(Packet& packet) {
  depart(packet);
  if (packet.sum_l4) sum_up(packet);
}

std::span<const uint8_t> Gate::bytes_of(const void* buffer) {
  const auto* one = static_cast<const rte_mbuf*>(buffer);
  return {rte_pktmbuf_mtod(one, const uint8_t*), one->data_len};
}

uint16_t Gate::port_of(const void* buffer) { return static_cast<const rte_mbuf*>(buffer)->port; }

namespace {

const net::Vlan* tag_of(const rte_mbuf* buffer) {
  if (buffer->data_len < sizeof(net::Ethernet) + sizeof(net::Vlan)) return nullptr;
  const auto* ethernet = rte_pktmbuf_mtod(buffer, const net::Ethernet*);
  if (ethernet->type != net::kEtherVlan) return nullptr;
  return reinterpret_cast<const net::Vlan*>(ethernet + 1);
}

}  // namespace

uint16_t Gate::vlan_of(const void* buffer) {
  const net::Vlan* tag = tag_of(static_cast<const rte_mbuf*>(buffer));
  return tag != nullptr ? tag->id() : uint16_t{0};
}

void Gate::untag(void* buffer) {
  auto* one = static_cast<rte_mbuf*>(buffer);
  if (tag_of(one) == nullptr) return;
  auto* frame = rte_pktmbuf_mtod(one, uint8_t*);
  std::memmove(frame + kTagBytes, frame, offsetof(net::Ethernet, type));
  rte_pktmbuf_adj(one, kTagBytes);
}

void Gate::release(void* buffer) { rte_pktmbuf_free(static_cast<rte_mbuf*>(buffer)); }

}  // namespace nezu::device
