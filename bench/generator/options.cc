#include "bench/generator/options.h"

#include <stdexcept>

#include "bench/generator/rate.h"

namespace nezu::generator {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& why) {
  throw std::invalid_argument(option + ": " + why);
}

net::Range range_of(const std::string& option, const std::string& text) {
  const auto range = net::parse_range(text);
  if (!range) {
    refuse(option, "\"" + text + "\" is no address, range (a-b) or prefix (a/24)");
  }
  return *range;
}

net::PortRange ports_of(const std::string& option, const std::string& text) {
  const auto ports = net::parse_port_range(text);
  if (!ports) refuse(option, "\"" + text + "\" is no port or range of ports (a-b)");
  return *ports;
}

/// "dev=net_memif0,gateway=192.0.2.1,mac=02:00:00:00:00:01,vlan=7"
SideOptions side_of(const std::string& option, const std::string& text) {
  SideOptions side;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, comma - at);
    at = comma + 1;
    const size_t equal = std::min(one.find('='), one.size());
    const std::string key = one.substr(0, equal);
    const std::string value = one.substr(std::min(equal + 1, one.size()));
    if (key == "dev") {
      side.device = value;
    } else if (key == "gateway") {
      side.gateway = net::parse_address(value);
      if (!side.gateway) refuse(option, "\"" + value + "\" is no address (gateway)");
    } else if (key == "mac") {
      side.peer = net::parse_mac(value);
      if (!side.peer) refuse(option, "\"" + value + "\" is no MAC address (mac)");
    } else if (key == "vlan") {
      const auto vlan = net::parse_port_range(value);
      if (!vlan || vlan->first != vlan->last || vlan->first > 4094) {
        refuse(option, "a VLAN is 1 to 4094, not \"" + value + "\"");
      }
      side.vlan = vlan->first;
    } else if (key == "queues") {
      const auto queues = net::parse_port_range(value);
      if (!queues || queues->first != queues->last || queues->first > 64) {
        refuse(option, "queues to receive are 1 to 64, not \"" + value + "\"");
      }
      side.receive_queues = queues->first;
    } else {
      refuse(option, "\"" + one + "\" is none of dev=, gateway=, mac=, vlan=, queues=");
    }
  }
  if (side.device.empty()) refuse(option, "dev= is missing: the port as DPDK names it");
  return side;
}

void add_traffic(CLI::App& app, Options& options) {
  app.add_option("--left", options.left,
                 "the clients' port: dev=net_memif0[,gateway=192.0.2.1][,mac=02:..][,vlan=7]"
                 "[,queues=1]; frames go to the gateway's MAC, to mac, or to that of --right");
  app.add_option("--right", options.right,
                 "the servers' port, the same; without: one port for both");
  app.add_option("--clients", options.clients, "addresses played on the left: a, a-b or a/24")
      ->capture_default_str();
  app.add_option("--servers", options.servers, "addresses played on the right")
      ->capture_default_str();
  app.add_option("--to", options.targets, "whom clients address, a VIP say [the servers]");
  app.add_option("--client-ports", options.client_ports, "of clients")->capture_default_str();
  app.add_option("--port", options.target_ports, "whom clients address")->capture_default_str();
  app.add_option("--flows", options.engine.flows, "how many")
      ->capture_default_str()
      ->check(CLI::Range(1u, 16'000'000u));
  app.add_flag("--random-flows", options.engine.random_flows,
               "each frame's flow is drawn [they take turns]");
  app.add_option("--seed", options.engine.seed, "of what is drawn")->capture_default_str();
  app.add_option("--ways", options.ways, "right, left or both")
      ->capture_default_str()
      ->check(CLI::IsMember({"right", "left", "both"}));
  app.add_option("--full-port", options.refused,
                 "frames that a port does not take at their time: lost, wait, or automatic "
                 "(lost on virtual wires)")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "lost", "wait"}));
}

void add_engine(CLI::App& app, Options& options) {
  app.add_option("--wait", options.engine.wait, "seconds for late frames after a trial")
      ->capture_default_str();
  app.add_option("--pause", options.engine.pause, "seconds before a trial")->capture_default_str();
  app.add_option("--learning-rate", options.engine.learning_rate,
                 "flows a second that are made known")
      ->capture_default_str();
  app.add_option("--patience", options.engine.patience,
                 "seconds, at least, for flows to get through: a device may have to find its "
                 "servers healthy first")
      ->capture_default_str();
  app.add_option("--buffers", options.engine.buffers, "packet buffers")->capture_default_str();
  app.add_option("--descriptors", options.engine.descriptors, "of each queue")
      ->capture_default_str();
  app.add_flag("--naps", options.engine.naps, "sleep when nothing is due: where cores are shared");
  app.add_option(
      "--bounce-core", options.engine.bounce_core,
      "beside each trial: a cache line's way to this core and back; trials beside a slow "
      "one are left out");
  app.add_option("--retries", options.engine.retries,
                 "of trials that were left out, or that the machine paused")
      ->capture_default_str();
}

void add_methods(CLI::App& app, Options& options) {
  app.add_option("--sizes", options.sizes, "of frames, with FCS")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--mix", options.mixes,
                 "simple, simple-ip, csit, RFC 6985's notation (aaab, A=98:AAb) or a size; may be "
                 "repeated");
  app.add_option("--mtu-frame", options.mtu_frame, "what z stands for in a mix")
      ->capture_default_str();
  app.add_option("--rate", options.rate, "frames a second in each way; trial: 0 is unpaced");
  app.add_option("--most", options.most,
                 "highest rate [the line's, or what the generator can offer]");
  app.add_option("--tolerate", options.tolerated, "percent of loss that passes: 0, 0.001, 0.5")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--resolution", options.resolution, "percent of the highest rate")
      ->capture_default_str();
  app.add_option("--short", options.short_seconds, "of trials that search")->capture_default_str();
  app.add_option("--deciding", options.deciding, "seconds of trials that decide")
      ->capture_default_str();
  app.add_option(
      "--seconds", options.seconds,
      "of a trial [trial 10, loss --deciding, latency and rfc8219 120, back-to-back 2, its "
      "least]");
  app.add_option("--frames", options.frames, "of a trial in each way, instead of --seconds");
  app.add_option("--step", options.step, "percent, of the loss curve; at most 10")
      ->capture_default_str();
  app.add_option("--repeats", options.repeats, "[latency 20, back-to-back 50, rfc8219 20]");
}

void add_connections(CLI::App& app, Options& options) {
  app.add_option("--connections", options.connections, "held at once")->capture_default_str();
  app.add_option("--ramp", options.ramp, "opened, asked and closed a second")
      ->capture_default_str();
  app.add_option("--hold", options.hold, "seconds, in which each is asked again and again")
      ->capture_default_str();
  app.add_option("--sustain", options.sustain, "seconds of the trial that decides a rate")
      ->capture_default_str();
  app.add_option("--request", options.request, "bytes of a question")
      ->capture_default_str()
      ->check(CLI::Range(16u, 1400u));
  app.add_option("--response", options.response, "bytes of an answer")
      ->capture_default_str()
      ->check(CLI::Range(16u, 65536u));
  app.add_option("--retransmit", options.retransmit, "seconds after which a client says it again")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

void add_changes(CLI::App& app, Options& options) {
  app.add_option(
         "--event", options.events,
         "NAME=COMMAND: what is done by the shell while frames go at --rate; NAME=mute ADDRESS: "
         "one "
         "of --servers falls silent as if it had failed, NAME=unmute ADDRESS: it is back; may be "
         "repeated")
      ->take_all();
  app.add_option("--settle", options.settle, "seconds before and after an event")
      ->capture_default_str();
  app.add_option("--find-out", options.find_out,
                 "seconds, at most, that a device has to serve a mute server's flows by others")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--held", options.held, "TCP connections that are held through all events")
      ->capture_default_str();
}

void add_floods(CLI::App& app, Options& options) {
  app.add_option("--recording", options.recording,
                 "pcap or pcapng file whose frames flood sends, in turn, as they stand");
  app.add_option("--ask", options.engine.ask,
                 "flood: seconds between questions for the gateway's MAC; 0: none")
      ->capture_default_str();
}

void add_output(CLI::App& app, Options& options) {
  app.add_option("--title", options.title, "of the report");
  app.add_option("--json", options.json, "file for the results");
  app.add_option("--html", options.html, "file for the report");
  app.add_flag("--quiet", options.quiet, "no progress");
  app.footer("Arguments behind -- are DPDK's own: -- -l 1 --vdev net_memif0,role=client,...");
}

}  // namespace

void add_options(CLI::App& app, Options& options) {
  add_traffic(app, options);
  add_engine(app, options);
  add_methods(app, options);
  add_connections(app, options);
  add_changes(app, options);
  add_floods(app, options);
  add_output(app, options);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_subcommand("trial", "one trial of each size or mix at --rate");
  app.add_subcommand("throughput", "RFC 2544 26.1, for each size or mix");
  app.add_subcommand("latency", "RFC 2544 26.2, at --rate or at the throughput");
  app.add_subcommand("loss", "RFC 2544 26.3: the frame-loss curve");
  app.add_subcommand("back-to-back", "RFC 2544 26.4: the longest burst");
  app.add_subcommand("rfc2544", "these four for each size");
  app.add_subcommand("imix", "throughput of simple, simple-ip and csit, or of each --mix");
  app.add_subcommand("rfc8219", "between IPv4 and IPv6: both ways, each way, by repeated runs");
  app.add_subcommand("connections", "RFC 9411: new TCP connections a second, up to --most");
  app.add_subcommand("concurrent", "RFC 9411: --connections at once, held, verified, closed");
  app.add_subcommand("change", "what each --event costs: blocked time, broken connections");
  app.add_subcommand("flood",
                     "frames of --recording by the left port at --rate; 0 is unpaced: what is "
                     "delivered is what the device takes at most");
  CLI::App* report = app.add_subcommand("report", "draws a file of results as a page");
  report->add_option("results", options.first, "JSON")->required();
  report->add_option("page", options.second, "HTML")->required();
  CLI::App* compare = app.add_subcommand("compare", "two files of results side by side");
  compare->add_option("A", options.first, "JSON")->required();
  compare->add_option("B", options.second, "JSON")->required();
}

void settle(Options& options) {
  EngineOptions& engine = options.engine;
  if (options.left.empty()) refuse("--left", "is missing");
  engine.left = side_of("--left", options.left);
  if (!options.right.empty()) engine.right = side_of("--right", options.right);
  engine.clients = range_of("--clients", options.clients);
  engine.servers = range_of("--servers", options.servers);
  if (!options.targets.empty()) engine.targets = range_of("--to", options.targets);
  engine.client_ports = ports_of("--client-ports", options.client_ports);
  engine.target_ports = ports_of("--port", options.target_ports);
  engine.refused = options.refused == "lost"   ? Refused::lost
                   : options.refused == "wait" ? Refused::wait
                                               : Refused::automatic;
  for (const uint32_t size : options.sizes) {
    if (size < 64 || size > kLongestFrame) {
      refuse("--sizes", std::to_string(size) + " is not 64 to " + std::to_string(kLongestFrame));
    }
    engine.longest = std::max(engine.longest, size + 24);
  }
  for (const std::string& mix : options.mixes) {
    for (const uint32_t size : parse_mix(mix, options.mtu_frame).sizes) {
      engine.longest = std::max(engine.longest, size + 24);
    }
  }
  for (const double percent : options.tolerated) {
    if (percent < 0 || percent >= 100) refuse("--tolerate", "percent, 0 to 100");
  }
  if (options.step <= 0 || options.step > 10) refuse("--step", "more than 0, at most 10 percent");
  if (options.resolution <= 0 || options.resolution > 50) {
    refuse("--resolution", "more than 0, at most 50 percent");
  }
  if (options.rate < 0 || options.most < 0) refuse("--rate", "not below 0");
}

}  // namespace nezu::generator
