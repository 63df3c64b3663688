#include "dataplane/watch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "dataplane/tables/reader.h"

namespace nezu::dataplane {
namespace {

constexpr uint64_t kLate = net::kNanosecondsPerSecond;
constexpr uint64_t kFillingPercent = 80;

template <size_t Size>
void copy_text(std::array<char, Size>& to, std::string_view from) {
  to = {};
  std::copy_n(from.data(), std::min(from.size(), Size - 1), to.data());
}

}  // namespace

Watch::Watch(const tables::Region& region, uint16_t workers) : region_(region), seen_(workers) {
  // What was counted before this start is no news.
  for (uint16_t i = 0; i < workers; ++i) {
    const auto& reasons = region_.worker(i).reasons;
    const auto read = [&](net::Reason reason) {
      return reasons[static_cast<size_t>(reason)].read();
    };
    seen_[i].table_full = read(net::Reason::flow_table_full);
    seen_[i].ports_exhausted = read(net::Reason::snat_ports_exhausted);
    seen_[i].handover_full = read(net::Reason::handover_full);
  }
  nat_log_lost_ = nat_log_lost();
}

void Watch::tell(tables::EventKind kind, net::Instant now, uint16_t worker, uint32_t subject,
                 uint64_t value, std::string_view text) {
  tables::Event event;
  event.sequence = ++sequence_;
  event.when = now.nanoseconds;
  event.kind = kind;
  event.worker = worker;
  event.subject = subject;
  event.value = value;
  copy_text(event.text, text);
  if (!region_.events().push(event)) region_.events().lost.add(1);
}

void Watch::look(net::Instant now) {
  for (uint16_t worker = 0; worker < seen_.size(); ++worker) {
    look_at_drops(worker, now);
    look_at_fill(worker, now);
  }
  look_at_readers(now);
  look_at_nat_log(now);
}

uint64_t Watch::nat_log_lost() const {
  uint64_t lost = region_.header().nat_log_lost.read();
  for (uint32_t worker = 0; worker < seen_.size(); ++worker) {
    lost += region_.worker(worker).nat_log_lost.read();
  }
  return lost;
}

void Watch::look_at_nat_log(net::Instant now) {
  const uint64_t lost = nat_log_lost();
  if (lost == nat_log_lost_) return;
  tell(tables::EventKind::nat_log_lost, now, 0, 0, lost - nat_log_lost_);
  nat_log_lost_ = lost;
}

void Watch::look_at_drops(uint16_t worker, net::Instant now) {
  const auto& reasons = region_.worker(worker).reasons;
  const auto compare = [&](uint64_t& seen, net::Reason reason, tables::EventKind kind) {
    const uint64_t count = reasons[static_cast<size_t>(reason)].read();
    if (count == seen) return;
    tell(kind, now, worker, 0, count - seen);
    seen = count;
  };
  Seen& seen = seen_[worker];
  compare(seen.table_full, net::Reason::flow_table_full, tables::EventKind::flow_table_full);
  compare(seen.ports_exhausted, net::Reason::snat_ports_exhausted,
          tables::EventKind::snat_ports_exhausted);
  compare(seen.handover_full, net::Reason::handover_full, tables::EventKind::handover_full);
}

void Watch::look_at_fill(uint16_t worker, net::Instant now) {
  const tables::WorkerLine& line = region_.worker(worker);
  const auto compare = [&](bool& filling, uint64_t used, uint64_t capacity, uint32_t family) {
    const bool now_filling = capacity != 0 && used * 100 >= capacity * kFillingPercent;
    if (now_filling && !filling) {
      tell(tables::EventKind::flow_table_filling, now, worker, family, used * 100 / capacity);
    }
    filling = now_filling;
  };
  Seen& seen = seen_[worker];
  compare(seen.filling_ipv4, line.flows_ipv4.read(), line.flow_capacity_ipv4.read(), 4);
  compare(seen.filling_ipv6, line.flows_ipv6.read(), line.flow_capacity_ipv6.read(), 6);
}

void Watch::look_at_readers(net::Instant now) {
  // Only our own workers: another data plane that still ends has workers of the same numbers.
  const auto self = static_cast<uint32_t>(getpid());
  for (const auto& reader : tables::reader_positions(region_)) {
    const std::string_view name = reader.name;
    if (!name.starts_with("worker ") || reader.pid != self) continue;
    const auto worker = static_cast<size_t>(std::atoi(reader.name.c_str() + 7));
    if (worker >= seen_.size()) continue;
    const bool late = now.nanoseconds > reader.last_turn.nanoseconds + kLate;
    if (late && !seen_[worker].late) {
      tell(tables::EventKind::reader_late, now, static_cast<uint16_t>(worker), 0,
           now.nanoseconds - reader.last_turn.nanoseconds, name);
    }
    seen_[worker].late = late;
  }
}

void Watch::look_at_drains(const tables::View& view, net::Instant now) {
  if (!view.is_ready()) return;
  view.each(view.root()->servers, [&](const tables::Server& server) {
    const uint32_t slot = tables::index(server.id);
    if (server.configured != tables::ServerState::draining ||
        server.drain_deadline.nanoseconds == 0) {
      drains_.erase(slot);
      return;
    }
    const auto [at, fresh] = drains_.try_emplace(slot);
    Drain& drain = at->second;
    if (drain.deadline != server.drain_deadline) drain = {server.drain_deadline, 0, false};
    if (now < drain.deadline) {
      drain.flows = 0;
      for (uint32_t worker = 0; worker < seen_.size(); ++worker) {
        drain.flows += region_.servers_of(worker)[slot].flows_active.read();
      }
    } else if (!drain.over) {
      drain.over = true;
      // One that was over before we looked for the first time is no news.
      if (fresh) return;
      tell(tables::EventKind::drain_ended, now, 0, slot, drain.flows,
           net::to_string(server.identity.address, server.identity.port));
    }
  });
}

void describe_port(tables::PortLine& line, const device::Port& port, std::string_view twin,
                   uint32_t speed_mbps) {
  copy_text(line.name, port.name);
  copy_text(line.device, port.device_name);
  copy_text(line.twin, twin);
  copy_text(line.steering, port.steering);
  line.mac = port.mac;
  line.mtu = port.mtu;
  line.side = port.plan.side;
  line.speed_mbps = speed_mbps;
  line.used.store(1, std::memory_order_release);
}

device::PortCounters counters_of(const tables::PortLine& line) {
  return {line.received.read(),   line.received_bytes.read(), line.sent.read(),
          line.sent_bytes.read(), line.receive_missed.read(), line.receive_errors.read(),
          line.send_errors.read()};
}

void mirror_counters(tables::PortLine& line, const device::PortCounters& base,
                     const device::PortCounters& counters) {
  line.received.set(base.received + counters.received);
  line.received_bytes.set(base.received_bytes + counters.received_bytes);
  line.sent.set(base.sent + counters.sent);
  line.sent_bytes.set(base.sent_bytes + counters.sent_bytes);
  line.receive_missed.set(base.missed + counters.missed);
  line.receive_errors.set(base.receive_errors + counters.receive_errors);
  line.send_errors.set(base.send_errors + counters.send_errors);
}

}  // namespace nezu::dataplane
