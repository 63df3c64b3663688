#include "controlplane/api/observer.h"

#include <algorithm>

#include "controlplane/api/followed.h"
#include "controlplane/api/statistics.h"
#include "controlplane/config/names.h"

namespace nezu::api {
namespace {

constexpr uint64_t kFillFrom = 80;  // percent

std::string key_of(const v1::ServerIdentity& server) {
  const auto identity = config::identity_of(server);
  return identity ? config::to_text(*identity) : server.address();
}

/// Equal but for the time at which it was noticed.
bool same(const std::optional<v1::WatchResponse>& before, v1::WatchResponse now) {
  if (!before) {
    return false;
  }
  *now.mutable_time() = before->time();
  return now.SerializeAsString() == before->SerializeAsString();
}

/// As in the lower 48 bits, first byte highest.
net::MacAddress mac_of(uint64_t value) {
  net::MacAddress mac;
  for (size_t i = 0; i < 6; ++i) {
    mac.bytes[i] = static_cast<uint8_t>(value >> (40 - 8 * i));
  }
  return mac;
}

std::string bridge_sentence(uint64_t state) {
  switch (static_cast<tables::BridgeState>(state)) {
    case tables::BridgeState::none:
      return "is configured no more.";
    case tables::BridgeState::down:
      return "has stopped: one of its ports has no link.";
    case tables::BridgeState::listening:
      return "listens whether there is a better box.";
    case tables::BridgeState::claiming:
      return "is about to take over.";
    case tables::BridgeState::bridging:
      return "passes packets on.";
    case tables::BridgeState::standing_by:
      return "stands by: a better box passes packets on.";
    case tables::BridgeState::loop:
      return "has stopped: its own hellos come back, so that something else connects its two "
             "sides; "
             "remove that.";
  }
  return "is in an unknown state.";
}

}  // namespace

std::string text_of(const tables::Event& event) {
  const std::string worker = "worker " + std::to_string(event.worker);
  const std::string text(event.text.data(), strnlen(event.text.data(), event.text.size()));
  const std::string more = text.empty() ? "" : " (" + text + ")";
  switch (event.kind) {
    case tables::EventKind::flow_table_full:
      return "The flow table of " + worker + " is full of live flows; give it more entries.";
    case tables::EventKind::flow_table_filling:
      return "The flow table of " + worker + " is filling up" + more + ".";
    case tables::EventKind::snat_ports_exhausted:
      return "No SNAT port is free on " + worker + more + "; add addresses to the SNAT set.";
    case tables::EventKind::handover_full:
      return "The hand-over ring of " + worker + " is full; packets are dropped.";
    case tables::EventKind::reader_late:
      return "A reader of the tables is late" + more + "; memory waits for it.";
    case tables::EventKind::drain_ended:
      return "A drain has reached its deadline" + more + "; " + std::to_string(event.value) +
             " flows were ended.";
    case tables::EventKind::link_changed:
      return "Port " + std::to_string(event.subject) + more +
             (event.value != 0 ? " has its link." : " has lost its link.");
    case tables::EventKind::neighbour_failed:
      return "A neighbour does not answer" + more + ".";
    case tables::EventKind::flows_dropped_at_start:
      return std::to_string(event.value) + " flows could not be taken over at start" + more + ".";
    case tables::EventKind::nat_log_lost:
      return std::to_string(event.value) + " records of the NAT log could not be kept" + more + ".";
    case tables::EventKind::address_claimed:
      return "Another host says that " + text +
             ", an address of ours, is its own: the one with MAC " +
             net::to_string(mac_of(event.value)) + "; take the address from it.";
    case tables::EventKind::bridge_changed:
      return "Bridge " + text + " " + bridge_sentence(event.value);
  }
  return "An event of kind " + std::to_string(static_cast<int>(event.kind)) + more + ".";
}

void Observer::see_servers(const std::set<tables::ServerIdentity>& servers,
                           const std::vector<publish::ServerReading>& shown,
                           const config::Model& model) {
  auto reading = shown.begin();
  for (const tables::ServerIdentity& server : servers) {
    const bool is_shown = reading != shown.end() && reading->identity == server;
    auto status = status_of(server, is_shown ? &*reading : nullptr, model);
    reading += is_shown ? 1 : 0;
    if (status) {
      put_shares(weights_, *status);
      see_server(server, std::move(*status));
    } else {
      see_gone(server);
    }
  }
}

void Observer::see_server(const tables::ServerIdentity& server, v1::ServerStatus status) {
  see_drain(status);
  if (status.leaving() || status.state() == v1::EFFECTIVE_STATE_DRAINING) {
    moving_.insert(server);
  } else {
    moving_.erase(server);
  }
  // Flows change with every packet; DrainProgress and statistics tell them.
  const uint64_t flows = status.flows();
  const std::string subject = "server " + config::to_text(server);
  v1::WatchResponse news;
  *news.mutable_server() = std::move(status);
  const auto before = hub_.last(subject);
  if (before) {
    news.mutable_server()->set_flows(before->server().flows());
  }
  if (!same(before, news)) {
    news.mutable_server()->set_flows(flows);
    hub_.put(v1::TOPIC_SERVERS, subject, std::move(news));
  }
}

void Observer::see_gone(const tables::ServerIdentity& server) {
  moving_.erase(server);
  const std::string subject = "server " + config::to_text(server);
  auto gone = hub_.last(subject);
  if (!gone) {
    return;
  }
  gone->mutable_server()->set_leaving(true);
  gone->mutable_server()->set_flows(0);
  gone->mutable_server()->clear_pools();
  hub_.put(v1::TOPIC_SERVERS, subject, *gone, true);
  v1::ServerStatus ended = gone->server();
  ended.set_state(v1::EFFECTIVE_STATE_DISABLED);
  see_drain(ended);
}

void Observer::see_drain(const v1::ServerStatus& status) {
  const std::string subject = "drain " + key_of(status.server());
  const auto before = hub_.last(subject);
  const bool is_draining = status.state() == v1::EFFECTIVE_STATE_DRAINING;
  if (!is_draining && !before) {
    return;
  }
  v1::WatchResponse news;
  v1::DrainProgress& drain = *news.mutable_drain();
  *drain.mutable_server() = status.server();
  drain.set_flows_left(status.flows());
  drain.set_complete(!is_draining || status.flows() == 0);
  if (status.has_drain_deadline()) {
    *drain.mutable_deadline() = status.drain_deadline();
  }
  if (!same(before, news)) {
    hub_.put(v1::TOPIC_DRAINS, subject, std::move(news), !is_draining);
  }
}

void Observer::see_generation(const publish::Reading& now) {
  v1::WatchResponse news;
  v1::GenerationChange& change = *news.mutable_generation();
  uint64_t oldest = now.workers.empty() ? 0 : now.generation;
  for (const publish::WorkerReading& worker : now.workers) {
    oldest = std::min(oldest, worker.generation);
  }
  change.set_generation(now.generation);
  change.set_revision(now.revision);
  change.set_adopted(oldest);
  change.set_adopted_by_all(!now.workers.empty() && oldest == now.generation);
  if (!same(hub_.last("generation"), news)) {
    hub_.put(v1::TOPIC_GENERATION, "generation", std::move(news));
  }
}

void Observer::see_ports(const publish::Reading& now) {
  for (const publish::PortReading& port : now.ports) {
    v1::WatchResponse news;
    news.mutable_port()->set_name(port.name);
    news.mutable_port()->set_link_up(port.link_up);
    if (!same(hub_.last("port " + port.name), news)) {
      hub_.put(v1::TOPIC_PORTS, "port " + port.name, std::move(news));
    }
  }
}

void Observer::see_drops(const publish::Reading& now, const publish::Reading& before,
                         uint32_t threshold) {
  if (now.when <= before.when) {
    return;
  }
  const double seconds = static_cast<double>(now.when.nanoseconds - before.when.nanoseconds) / 1e9;
  const auto sum = [](const publish::Reading& reading, size_t reason) {
    uint64_t packets = 0;
    for (const publish::WorkerReading& worker : reading.workers) {
      packets += worker.reasons[reason];
    }
    return packets;
  };
  for (size_t reason = 0; reason < net::kReasonCount; ++reason) {
    if (!is_drop(static_cast<net::Reason>(reason))) {
      continue;
    }
    const std::string subject = "drops " + std::string(net::kReasonNames[reason]);
    const double rate = per_second(sum(now, reason), sum(before, reason), seconds);
    const bool is_over = rate <= 0 || rate < threshold;
    if (is_over && !hub_.last(subject)) {
      continue;
    }
    v1::WatchResponse news;
    v1::DropAlarm& drops = *news.mutable_drops();
    drops.set_reason(std::string(net::kReasonNames[reason]));
    drops.set_description(std::string(net::kReasonTexts[reason]));
    drops.set_packets_per_second(rate);
    drops.set_over(is_over);
    hub_.put(v1::TOPIC_DROPS, subject, std::move(news), is_over);
  }
}

void Observer::see_level(const std::string& what, uint64_t used, uint64_t capacity,
                         const char* unit) {
  if (capacity == 0) {
    return;
  }
  const uint64_t percent = std::min<uint64_t>(100, used * 100 / capacity);
  const std::string subject = "fill " + what;
  const auto before = hub_.last(subject);
  if (percent < kFillFrom ? !before.has_value() : before && before->fill().percent() == percent) {
    return;
  }
  v1::WatchResponse news;
  v1::FillLevel& level = *news.mutable_fill();
  level.set_what(what);
  level.set_used(used);
  level.set_capacity(capacity);
  level.set_percent(static_cast<uint32_t>(percent));
  level.set_unit(unit);
  hub_.put(v1::TOPIC_FILL, subject, std::move(news), percent < kFillFrom);
}

void Observer::see_fill(const publish::Reading& now,
                        const std::vector<publish::RegionReading>& regions) {
  for (const publish::WorkerReading& worker : now.workers) {
    const std::string of = ", worker " + std::to_string(worker.number);
    see_level("flows ipv4" + of, worker.flows_ipv4, worker.flow_capacity_ipv4, "entries");
    see_level("flows ipv6" + of, worker.flows_ipv6, worker.flow_capacity_ipv6, "entries");
    see_level("snat ports" + of, worker.snat_lines, worker.snat_line_capacity, "entries");
  }
  for (const publish::RegionReading& region : regions) {
    if (!region.ours) {
      continue;
    }
    see_level("region heap", region.heap_used, region.heap_bytes, "bytes");
    see_level("services", region.services_used, region.sizes.services, "entries");
    see_level("pools", region.pools_used, region.sizes.pools, "entries");
    see_level("servers", region.servers_used, region.sizes.servers, "entries");
    see_level("addresses", region.addresses_used, region.sizes.addresses, "entries");
  }
}

void Observer::see_regions(const std::vector<publish::RegionReading>& regions) {
  std::vector<std::string> late;
  for (const publish::RegionReading& region : regions) {
    for (const publish::ReaderReading& reader : region.readers) {
      if (reader.late) {
        late.push_back(reader.name + " has stopped reading the tables and holds memory back; " +
                       "look at process " + std::to_string(reader.pid) + ".");
      }
    }
  }
  see_alarms("reader", late, v1::SEVERITY_ERROR);
}

void Observer::see_data_plane(const publish::DataPlaneReading& data_plane) {
  see_alarms("dataplane",
             data_plane.attached
                 ? std::vector<std::string>{}
                 : std::vector<std::string>{"No data plane is running: start nezu-dataplane."},
             v1::SEVERITY_ERROR);
}

void Observer::see_alarms(const std::string& source, const std::vector<std::string>& texts,
                          v1::Severity severity) {
  // Alarms of one source are numbered; sources have few.
  const auto subject_of = [&source](size_t number) {
    std::string subject = source;
    if (number > 0) {
      subject.append(" ").append(std::to_string(number));
    }
    return subject;
  };
  size_t number = 0;
  for (const std::string& text : texts) {
    alarm(subject_of(number++), text, severity, false);
  }
  while (const auto before = hub_.last("alarm " + subject_of(number))) {
    alarm(subject_of(number++), before->alarm().text(), severity, true);
  }
}

void Observer::see_events(const std::vector<tables::Event>& events) {
  for (const tables::Event& event : events) {
    // An event is over as soon as it was told: later streams do not see it.
    alarm("event " + std::to_string(++events_), text_of(event), v1::SEVERITY_NOTICE, true);
  }
}

void Observer::alarm(const std::string& subject, const std::string& text, v1::Severity severity,
                     bool is_over) {
  v1::WatchResponse news;
  v1::Alarm& alarm = *news.mutable_alarm();
  alarm.set_severity(severity);
  alarm.set_subject(subject);
  alarm.set_text(text);
  alarm.set_over(is_over);
  if (is_over || !same(hub_.last("alarm " + subject), news)) {
    hub_.put(v1::TOPIC_ALARMS, "alarm " + subject, std::move(news), is_over);
  }
}

}  // namespace nezu::api
