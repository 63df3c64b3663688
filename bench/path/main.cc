// nezu-bench-path: what a packet costs, from parse to send, on one core without a NIC.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "bench/path/folder.h"
#include "bench/path/measure.h"
#include "dataplane/path_stages.h"

namespace {

using namespace nezu;

constexpr const char* kHelp =
    R"(usage: nezu-bench-path [options] --case MODE,PROTOCOL,FAMILY,FLOWS ...

  --case C        nat|fullnat|route|tunnel|gre|gue, udp|tcp, ipv4|ipv6|ipv4-ipv6|ipv6-ipv4, number
                  of flows; once or more (tunnel: IP in IP)
  --json FILE     one object for each case
  --cold          buffers cycled through more memory than L2 (without: buffers that stay in cache)
  --one-way       packets to servers only (without: both directions mixed, but for modes in which
                  answers pass the balancer by)
  --huge          tables and buffers in 2 MiB pages (/dev/hugepages)
  --new N         also: N further flows, each packet opening one
  --steady S      also: new flows for S seconds of the worker's time, by default timeouts and
                  shares, expiry and recycling included (--capacity 16777216, say)
  --lives S       the same with whole TCP lives of seven packets
  --cookies S     also: SYNs that SYN cookies answer for S seconds, without and with timestamps
  --hand-over     also: the packets of half the flows received by a worker that hands them over
  --latency       also: from arrival to transmission, packets coming one by one and by half the load
  --pushes        also: the same packets with 1,000 pushes a second of their service
  --capture WORDS all of it while a capture with that filter looks at every packet, and copies those
                  that match: what came in and what leaves
  --everything    also: the same at 65,000 services with a server each, hit at random; these with access
                  lists, limits of flows, marks, persistence and SYN cookies; and with limits of
                  packets and bits too (nat only)
  --second-core N for the other end of --hand-over and for who pushes; without: no other end
  --rebuild       also: the time to rebuild the table after a restart
  --runs N        default 5; medians are of these
  --packets N     of each run, default 2000000
  --burst N       default 64
  --capacity N    of the flow table; default: an eighth more than there are flows

The file of the flow table lies in a new folder below /dev/hugepages (--huge) or /dev/shm, which is
removed at the end, also by an error or SIGINT, SIGTERM, SIGHUP.
Pin it to a core that nobody else uses: taskset -c 1 nezu-bench-path ...
Cycles are those of the time stamp counter.
)";

struct Wanted {
  std::vector<bench::Case> cases;
  bench::Options options;
  std::string json;
  uint32_t new_flows = 0;
  double steady = 0, lives = 0, cookies = 0;  ///< seconds
  bool rebuild = false, hand_over = false, latency = false, pushes = false, everything = false;
  int second_core = -1;
};

[[noreturn]] void usage(const std::string& problem) {
  std::fprintf(stderr, "nezu-bench-path: %s\n%s", problem.c_str(), kHelp);
  std::exit(2);
}

Wanted parse_options(int argc, char** argv) {
  Wanted wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (++i == argc) usage(option + " needs a value");
      return argv[i];
    };
    const auto number = [&] { return std::strtoull(value().c_str(), nullptr, 10); };
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    } else if (option == "--case") {
      bench::Case one;
      const std::string text = value();
      if (!bench::parse_case(text, one)) usage("not a case: " + text);
      wanted.cases.push_back(one);
    } else if (option == "--json") {
      wanted.json = value();
    } else if (option == "--cold") {
      wanted.options.cold = true;
    } else if (option == "--one-way") {
      wanted.options.one_way = true;
    } else if (option == "--huge") {
      wanted.options.huge = true;
    } else if (option == "--hand-over") {
      wanted.hand_over = true;
    } else if (option == "--latency") {
      wanted.latency = true;
    } else if (option == "--pushes") {
      wanted.pushes = true;
    } else if (option == "--everything") {
      wanted.everything = true;
    } else if (option == "--capture") {
      wanted.options.captures = true;
      wanted.options.filter = value();
    } else if (option == "--second-core") {
      wanted.second_core = static_cast<int>(number());
    } else if (option == "--rebuild") {
      wanted.rebuild = true;
    } else if (option == "--new") {
      wanted.new_flows = static_cast<uint32_t>(number());
    } else if (option == "--steady") {
      wanted.steady = std::strtod(value().c_str(), nullptr);
      wanted.options.default_timeouts = true;
    } else if (option == "--lives") {
      wanted.lives = std::strtod(value().c_str(), nullptr);
      wanted.options.default_timeouts = true;
    } else if (option == "--cookies") {
      wanted.cookies = std::strtod(value().c_str(), nullptr);
    } else if (option == "--runs") {
      wanted.options.runs = static_cast<uint32_t>(number());
    } else if (option == "--packets") {
      wanted.options.packets = number();
    } else if (option == "--burst") {
      wanted.options.burst = static_cast<uint32_t>(number());
    } else if (option == "--capacity") {
      wanted.options.capacity = static_cast<uint32_t>(number());
    } else {
      usage("unknown option " + option);
    }
  }
  if (wanted.cases.empty()) usage("no case");
  for (const bench::Case& one : wanted.cases) {
    if (wanted.lives != 0 && one.is_mixed()) usage("lives are of one family only: " + one.text);
    if (wanted.everything && (one.mode != tables::Mode::nat || one.is_mixed())) {
      usage("everything is switched on in nat within one family: " + one.text);
    }
    const bool is_nat = one.mode == tables::Mode::nat || one.mode == tables::Mode::fullnat;
    if (wanted.cookies != 0 && (!is_nat || one.protocol != net::Protocol::tcp)) {
      usage("SYN cookies are of TCP in nat and fullnat: " + one.text);
    }
  }
  const uint32_t burst = wanted.options.burst;
  if (wanted.options.runs == 0 || burst == 0 || burst > net::kBurstCapacity ||
      (burst & (burst - 1)) != 0) {
    usage("runs must not be 0, a burst is a power of two up to 64");
  }
  if (wanted.pushes && wanted.second_core < 0) usage("--pushes needs --second-core");
  return wanted;
}

std::string json_of(const bench::Spread& spread) {
  char text[128];
  std::snprintf(text, sizeof text, "{\"min\": %.1f, \"median\": %.1f, \"max\": %.1f}", spread.min,
                spread.median, spread.max);
  return text;
}

/// What needs a rig of two workers.
std::string run_hand_over(const bench::Case& what, bench::Options options, int core) {
  options.workers = 2;
  bench::Rig rig(what, options);
  rig.open_flows();
  const bench::HandOver cost = bench::measure_hand_over(rig, options, core);
  std::printf("%-26s hand-over: %.1f cycles, %.1f without, %.1f more (%.1f to %.1f)\n", "",
              cost.with.median, cost.without.median, cost.more.median, cost.more.min,
              cost.more.max);
  std::string json = ",\n   \"hand_over\": {\"without\": " + json_of(cost.without) +
                     ", \"with\": " + json_of(cost.with) + ", \"more\": " + json_of(cost.more);
  if (core >= 0) {
    std::printf(
        "%-26s on two cores: %.1f cycles (%.1f to %.1f), a line there and back %.0f ns "
        "(%.0f to %.0f), %zu rounds kept\n",
        "", cost.apart.median, cost.apart.min, cost.apart.max, cost.bounce.median, cost.bounce.min,
        cost.bounce.max, cost.kept);
    json += ", \"two_cores\": " + json_of(cost.apart) + ", \"bounce_ns\": " + json_of(cost.bounce);
  }
  return json + "}";
}

std::string run_latency(bench::Rig& rig, const bench::Options& options, double cycles) {
  std::string json = ",\n   \"latency_us\": [";
  for (const double load : {0.0, 0.5}) {
    const bench::Latency one = bench::measure_latency(rig, options, cycles, load);
    std::printf("%-26s latency at load %.1f: p50 %.2f us, p99 %.2f us, %.1f packets a burst\n", "",
                load, one.p50, one.p99, one.packets_a_burst);
    char text[128];
    std::snprintf(text, sizeof text, "%s{\"load\": %.1f, \"p50\": %.3f, \"p99\": %.3f}",
                  load == 0 ? "" : ", ", load, one.p50, one.p99);
    json += text;
  }
  return json + "]";
}

/// Both kinds of SYN, and then whether the flows that were open are none the worse.
std::string run_cookies(bench::Rig& rig, const bench::Options& options, uint32_t first,
                        double seconds) {
  std::ostringstream json;
  for (const bool timestamps : {false, true}) {
    const char* name = timestamps ? "cookies_with_timestamps" : "cookies_without_timestamps";
    const bench::Steady flood = bench::measure_cookies(rig, options, first, seconds, timestamps);
    json << ",\n   \"" << name << "\": {\"seconds\": " << seconds
         << ", \"million_per_second\": " << flood.million_per_second
         << ", \"of_all_turns\": " << flood.of_all_turns
         << ", \"cycles\": " << json_of(flood.cycles) << ", \"refused\": " << flood.refused << "}";
    std::printf(
        "%-26s SYN cookies %s timestamps: %.0f cycles, %.2f M/s (all turns: %.2f); %llu refused\n",
        "", timestamps ? "with" : "without", flood.cycles.median, flood.million_per_second,
        flood.of_all_turns, static_cast<unsigned long long>(flood.refused));
  }
  const bench::Cost after = bench::measure_known(rig, options);
  if (after.forwarded != after.packets) {
    std::fprintf(stderr, "the flood ended flows\n");
    std::exit(1);
  }
  return json.str();
}

std::string run_pushes(bench::Rig& rig, const bench::Options& options, int core) {
  const bench::Pushes cost = bench::measure_pushes(rig, options, core);
  std::printf("%-26s %.0f pushes a second: %.1f cycles, %.1f without, median ratio %.3f\n", "",
              cost.per_second, cost.with.median, cost.without.median, cost.ratio);
  char text[96];
  std::snprintf(text, sizeof text, "{\"per_second\": %.0f, \"ratio\": %.3f", cost.per_second,
                cost.ratio);
  return ",\n   \"pushes\": " + (text + (", \"without\": " + json_of(cost.without)) +
                                 ", \"with\": " + json_of(cost.with) + "}");
}

std::string run_everything(const bench::Case& what, const bench::Options& options) {
  const bench::Everything cost = bench::measure_everything(what, options);
  if (cost.to_bare[0] == 0) {
    std::fprintf(stderr, "%s: with everything switched on packets were dropped\n",
                 what.text.c_str());
    std::exit(1);
  }
  std::ostringstream json;
  for (size_t kind = 0; kind < bench::Everything::kKinds; ++kind) {
    const char* name = bench::Everything::kNames[kind];
    std::printf("%-26s %s: %.1f cycles, %.3f of bare\n", "", name, cost.cycles[kind].median,
                cost.to_bare[kind]);
    json << (kind == 0 ? "" : ", ") << '"' << name
         << "\": {\"cycles\": " << json_of(cost.cycles[kind])
         << ", \"to_bare\": " << cost.to_bare[kind] << '}';
  }
  return ",\n   \"everything\": {" + json.str() + "}";
}

/// One case: a line on the terminal, an object in the file.
std::string run_case(const bench::Case& what, const Wanted& wanted) {
  bench::Options options = wanted.options;
  if (tables::is_one_way(what.mode)) {
    if (wanted.lives != 0) usage("whole lives are measured in nat and fullnat only");
    options.one_way = true;
  }
  if (options.capacity == 0) {
    const uint32_t flows = what.flows + wanted.new_flows;
    options.capacity = flows + flows / 8;
  }
  bench::Rig rig(what, options);
  rig.open_flows();
  const bench::Cost cost = bench::measure_known(rig, options);
  if (cost.forwarded != cost.packets) {
    std::fprintf(stderr, "%s: %llu of %llu packets were forwarded\n", what.text.c_str(),
                 static_cast<unsigned long long>(cost.forwarded),
                 static_cast<unsigned long long>(cost.packets));
    std::exit(1);
  }
  std::ostringstream json;
  json << "  {\"case\": \"" << what.text << "\", \"buffers\": \"" << (options.cold ? "cold" : "hot")
       << "\", \"directions\": \"" << (options.one_way ? "one-way" : "mixed")
       << "\", \"huge_pages\": " << (options.huge ? "true" : "false")
       << ", \"burst\": " << options.burst << ", \"runs\": " << options.runs
       << ", \"packets\": " << options.packets << ", \"table_capacity\": " << options.capacity
       << ",\n   \"cycles_per_packet\": " << json_of(cost.cycles_per_packet)
       << ",\n   \"stage_cycles\": {";
  std::printf("%-26s %s %-7s  %6.1f  %6.1f  %6.1f   ", what.text.c_str(),
              options.cold ? "cold" : "hot ", options.one_way ? "one-way" : "mixed",
              cost.cycles_per_packet.min, cost.cycles_per_packet.median,
              cost.cycles_per_packet.max);
  for (size_t i = 0; i < path::kStageNames.size(); ++i) {
    std::printf(" %s %.1f", std::string(path::kStageNames[i]).c_str(), cost.stage_cycles[i]);
    json << (i == 0 ? "" : ", ") << '"' << path::kStageNames[i] << "\": " << cost.stage_cycles[i];
  }
  const double bytes = static_cast<double>(rig.table_bytes()) / options.capacity;
  json << "},\n   \"cycles_of_all_turns\": " << json_of(cost.cycles_of_all)
       << ", \"calm_share_of_turns\": " << cost.calm_share
       << ", \"interrupted_share_of_turns\": " << cost.interrupted_share
       << ", \"bytes_per_flow\": " << bytes;
  std::printf(
      "\n%-26s of calm turns (%.0f %%; all turns: %.1f), %.2f %% interrupted; %.1f bytes a flow at "
      "capacity\n",
      "", 100 * cost.calm_share, cost.cycles_of_all.median, 100 * cost.interrupted_share, bytes);
  if (wanted.new_flows != 0) {
    const bench::NewFlows fresh = bench::measure_new(rig, options, what.flows, wanted.new_flows);
    json << ",\n   \"cycles_per_new_flow\": " << json_of(fresh.cycles_per_flow)
         << ", \"new_flows_per_second_millions\": " << json_of(fresh.million_per_second);
    std::printf("%-26s new flow: %.0f cycles, %.2f M/s (medians)\n", "",
                fresh.cycles_per_flow.median, fresh.million_per_second.median);
  }
  for (const bool lives : {false, true}) {
    const double seconds = lives ? wanted.lives : wanted.steady;
    if (seconds == 0) continue;
    const char* name = lives ? "life" : "new flow";
    const bench::Steady steady =
        bench::measure_steady(rig, options, what.flows + wanted.new_flows, seconds, lives);
    json << ",\n   \"" << (lives ? "lives" : "steady") << "\": {\"seconds\": " << seconds
         << ", \"million_per_second\": " << steady.million_per_second
         << ", \"of_all_turns\": " << steady.of_all_turns
         << ", \"cycles\": " << json_of(steady.cycles) << ", \"refused\": " << steady.refused
         << ", \"recycled\": " << steady.recycled << ", \"expired\": " << steady.expired << "}";
    std::printf(
        "%-26s %s for %g s: %.0f cycles (%.0f to %.0f), %.2f M/s (all turns: %.2f); %llu packets "
        "refused, "
        "%llu flows recycled, %llu expired\n",
        "", name, seconds, steady.cycles.median, steady.cycles.min, steady.cycles.max,
        steady.million_per_second, steady.of_all_turns,
        static_cast<unsigned long long>(steady.refused),
        static_cast<unsigned long long>(steady.recycled),
        static_cast<unsigned long long>(steady.expired));
  }
  if (wanted.cookies != 0)
    json << run_cookies(rig, options, what.flows + wanted.new_flows, wanted.cookies);
  if (wanted.latency) json << run_latency(rig, options, cost.cycles_per_packet.median);
  if (wanted.pushes) json << run_pushes(rig, options, wanted.second_core);
  if (wanted.rebuild) {
    std::vector<double> times;
    const double flows = rig.flows().count(false) + rig.flows().count(true);
    for (uint32_t i = 0; i < options.runs; ++i) times.push_back(rig.restart() * 1e3 / flows * 1e6);
    const bench::Spread spread = bench::spread(times);
    json << ",\n   \"rebuild_ms_per_million_flows\": " << json_of(spread);
    std::printf("%-26s rebuild: %.0f ms per million flows (median)\n", "", spread.median);
  }
  if (wanted.everything) json << run_everything(what, options);
  if (wanted.hand_over) json << run_hand_over(what, options, wanted.second_core);
  std::fflush(stdout);
  return json.str() + "}";
}

}  // namespace

int main(int argc, char** argv) {
  const Wanted wanted = parse_options(argc, argv);
  bench::remove_folders_at_end();
  std::printf("%-26s %s %-7s  %6s  %6s  %6s    cycles of each stage\n", "case", "buf ", "ways",
              "min", "median", "max");
  std::string rows;
  for (const bench::Case& what : wanted.cases) {
    rows += (rows.empty() ? "" : ",\n") + run_case(what, wanted);
  }
  if (!wanted.json.empty()) {
    std::ofstream file(wanted.json);
    file << "[\n" << rows << "\n]\n";
    if (!file.flush()) {
      std::fprintf(stderr, "nezu-bench-path: cannot write %s\n", wanted.json.c_str());
      return 1;
    }
  }
  return 0;
}
