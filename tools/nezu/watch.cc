// watch: changes as they happen, one a line.
#include "nezu/v1/state.pb.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

const std::map<std::string, v1::Topic> kTopics = {
    {"servers", v1::TOPIC_SERVERS},       {"drains", v1::TOPIC_DRAINS},
    {"generation", v1::TOPIC_GENERATION}, {"ports", v1::TOPIC_PORTS},
    {"drops", v1::TOPIC_DROPS},           {"fill", v1::TOPIC_FILL},
    {"alarms", v1::TOPIC_ALARMS},
};

std::string drops_text(const v1::DropAlarm& drops) {
  return drops.reason() + ": " + scaled(drops.packets_per_second()) + " packets/s" +
         (drops.over() ? ", below the threshold again" : "; " + drops.description());
}

std::string fill_text(const v1::FillLevel& fill) {
  const bool is_bytes = fill.unit() == "bytes";
  const auto amount = [&](uint64_t value) {
    return is_bytes ? bytes_text(value) : scaled(static_cast<double>(value));
  };
  return fill.what() + ": " + std::to_string(fill.percent()) + " % full (" + amount(fill.used()) +
         " of " + amount(fill.capacity()) + ")";
}

/// Of pools whose weights follow it.
std::string shares_text(const v1::ServerStatus& server) {
  std::string text;
  for (const v1::FollowedWeight& followed : server.followed()) {
    text += ", " + std::to_string(followed.percent()) + " % of its weight in " + followed.pool();
    text += followed.drains() ? " (drains)" : "";
    text += followed.in_maintenance() ? " (maintenance)" : "";
    text += followed.is_down() ? " (down)" : "";
  }
  return text;
}

/// The event in words; empty for one that this program does not know.
std::string event_text(const v1::WatchResponse& response) {
  switch (response.event_case()) {
    case v1::WatchResponse::kServer: {
      const auto& server = response.server();
      return "server     " + server_text(server.server()) + " " + name_of(server.state()) +
             ", health " + name_of(server.health()) + ", " + std::to_string(server.flows()) +
             " flows" + shares_text(server);
    }
    case v1::WatchResponse::kDrain: {
      const auto& drain = response.drain();
      return "drain      " + server_text(drain.server()) + " " +
             (drain.complete() ? "complete" : std::to_string(drain.flows_left()) + " flows left");
    }
    case v1::WatchResponse::kGeneration: {
      const auto& change = response.generation();
      return "generation " + std::to_string(change.generation()) + ", revision " +
             std::to_string(change.revision()) +
             (change.adopted_by_all() ? ", adopted by all workers" : ", published");
    }
    case v1::WatchResponse::kPort:
      return "port       " + response.port().name() +
             (response.port().link_up() ? " link up" : " link down");
    case v1::WatchResponse::kDrops:
      return "drops      " + drops_text(response.drops());
    case v1::WatchResponse::kFill:
      return "fill       " + fill_text(response.fill());
    case v1::WatchResponse::kAlarm: {
      const auto& alarm = response.alarm();
      return "alarm      " + name_of(alarm.severity()) + ", " + alarm.subject() + ": " +
             alarm.text() + (alarm.over() ? " (over)" : "");
    }
    case v1::WatchResponse::kInitialComplete:
      return "now        the lines above are the present state; changes follow";
    case v1::WatchResponse::EVENT_NOT_SET:
      break;
  }
  return {};
}

struct State {
  std::vector<v1::Topic> topics;
  bool changes_only = false;
  bool initial_only = false;
  uint64_t count = 0;
};

Exit watch(Session& session, const State& state) {
  v1::WatchRequest request;
  for (const v1::Topic topic : state.topics) {
    request.add_topics(topic);
  }
  request.set_changes_only(state.changes_only);
  v1::WatchResponse response;
  uint64_t told = 0;
  session.client().stream(
      request, response,
      [&] {
        const std::string text = event_text(response);
        if (session.format != Format::table) {
          session.out << json_line(response) << std::endl;
        } else if (!text.empty()) {
          session.out << time_text(response.time(), response.has_time()) << "  " << text
                      << std::endl;
        }
        const bool is_present = response.initial() || response.initial_complete();
        told += is_present ? 0 : 1;
        const bool is_last = (state.initial_only && response.initial_complete()) ||
                             (state.count != 0 && told >= state.count);
        return !is_last && session.out.good();
      },
      std::chrono::milliseconds{0});
  return Exit::ok;
}

}  // namespace

void add_watch(CLI::App& app, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand("watch", "Print changes as they happen, until Ctrl-C");
  command
      ->add_option("topic", state->topics,
                   "servers, drains, generation, ports, drops, fill, alarms; default: all")
      ->transform(CLI::CheckedTransformer(kTopics).description(""))
      ->type_name("TOPIC");
  auto* only = command->add_flag("--changes-only", state->changes_only,
                                 "Without the present state at the beginning");
  command->add_flag("--once", state->initial_only, "Print the present state and end")
      ->excludes(only);
  command->add_option("-n,--count", state->count, "End after so many changes");
  action(command, session, [state, &session] { return watch(session, *state); });
}

}  // namespace nezu::cli
