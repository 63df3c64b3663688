// Change under traffic: what a push, a drain, a failure or a restart costs.
//
// Frames go both ways at a constant rate while an event happens; blocked time is what was lost
// divided by the offered rate. TCP connections held through it all are asked after each event.
#include <rte_cycles.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "bench/generator/connections.h"
#include "bench/generator/event.h"
#include "bench/generator/session.h"

namespace nezu::generator {
namespace {

/// Connections: all, and those of the server that an event is about.
struct Held {
  uint64_t all = 0, there = 0;
};
Held held_of(const Connections& connections, const EventText& event) {
  const bool is_about_one = event.kind != EventText::Kind::command;
  return {connections.held(), is_about_one ? connections.held_by(event.server) : 0};
}

void set_trial(results::Change& out, const TrialResult& result) {
  const double offered =
      result.seconds == 0 ? 0 : static_cast<double>(result.sent()) / result.seconds;
  out.set_offered_rate(offered);
  out.set_sent(result.sent());
  out.set_lost(result.lost());
  out.set_silent(result.silent());
  out.set_blocked_ms(offered == 0 ? 0 : 1e3 * static_cast<double>(result.lost()) / offered);
}

void set_connections(results::Change& out, const Held& before, const Held& after) {
  out.set_connections(before.all);
  out.set_broken(before.all - after.all);
  out.set_connections_there(before.there);
  out.set_broken_there(before.there - after.there);
}

std::string sentence_of(const results::Change& change) {
  char text[256];
  std::snprintf(text, sizeof text, "%s: %.3f ms blocked (%llu of %llu frames lost), %llu broken",
                change.name().c_str(), change.blocked_ms(),
                static_cast<unsigned long long>(change.lost()),
                static_cast<unsigned long long>(change.sent()),
                static_cast<unsigned long long>(change.broken()));
  std::string sentence = text;
  if (change.connections_there() + change.flows_there() == 0) return sentence;
  std::snprintf(text, sizeof text, ", %llu of them among the %llu on that server; %s after %.2f s",
                static_cast<unsigned long long>(change.broken_there()),
                static_cast<unsigned long long>(change.connections_there()),
                change.flows_left() == 0 ? "its flows are served by others"
                                         : "not all of its flows are served by others",
                change.command_s());
  return sentence + text;
}

}  // namespace

TrialPlan Session::plan_of_change(const std::string& purpose, double seconds) {
  TrialPlan plan;
  plan.purpose = purpose;
  plan.mix = sizes().front();
  plan.rate = options_.rate;
  plan.seconds = seconds;
  plan.to_right = options_.ways != "left";
  plan.to_left = options_.ways != "right";
  plan.answers_follow = true;
  return plan;
}

void Session::change_once(const EventText& text, Connections& connections) {
  const TrialResult before =
      engine_.run(plan_of_change("before " + text.name, 2 * options_.settle));
  const ConnectionCounts counts = connections.counts();
  const Held held = held_of(connections, text);
  const std::unique_ptr<Event> event =
      make_event(text, {options_.settle + options_.engine.pause, options_.find_out}, engine_);
  TrialPlan plan = plan_of_change(text.name, options_.settle);
  uint64_t end = 0;
  plan.until = [&] {
    const uint64_t now = rte_rdtsc();
    if (end == 0 && event->done(now)) {
      end = now + static_cast<uint64_t>(options_.settle * engine_.tsc_hz());
    }
    return end != 0 && now >= end;
  };
  const TrialResult result = engine_.run(plan);

  results::Change& out = *results_.add_changes();
  out.set_name(text.name);
  out.set_command(text.command);
  out.set_status(event->status());
  out.set_command_s(event->seconds());
  set_trial(out, result);
  out.set_lost_before(before.lost());
  out.set_flows_there(event->flows());
  out.set_flows_left(engine_.silent_flows());
  connections.ask_all(options_.ramp, rte_rdtsc());
  run_connections(connections, [&](uint64_t) { return connections.settled(); });
  set_connections(out, held, held_of(connections, text));
  out.set_resets(connections.counts().resets - counts.resets);
  out.set_checks(connections.counts().checks - counts.checks);
  progress_.say(sentence_of(out));
}

std::vector<EventText> Session::events() const {
  if (options_.rate == 0) throw std::runtime_error("change: --rate is missing");
  if (options_.events.empty()) throw std::runtime_error("change: --event is missing");
  std::vector<EventText> all;
  for (const std::string& text : options_.events) {
    all.push_back(parse_event(text, options_.engine.servers));
  }
  return all;
}

void Session::change(const std::vector<EventText>& events) {
  Connections connections(connection_options(options_.held));
  attend(&connections);
  if (options_.held != 0) {
    connections.open(options_.ramp, options_.held, false, rte_rdtsc());
    run_connections(connections, [&](uint64_t) { return connections.settled(); });
    if (connections.held() != options_.held) {
      throw std::runtime_error("change: only " + std::to_string(connections.held()) + " of " +
                               std::to_string(options_.held) + " connections could be opened");
    }
  }
  for (const EventText& event : events) change_once(event, connections);
  attend(nullptr);
}

}  // namespace nezu::generator
