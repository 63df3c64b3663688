#include "bench/generator/report.h"

#include <cstdarg>
#include <cstdio>

#include "bench/generator/plot.h"

namespace nezu::generator {
namespace {

using namespace results;

constexpr const char* kStyle = R"(
:root { --ink: #1c2430; --soft: #5d6b7c; --rule: #d5dce4; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--rule); }
.soft { color: var(--soft); } .note { border-left: 3px solid #d08700; padding-left: .8rem; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .6rem; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
.bad { color: #b3261e; font-weight: 600; }
code { font-size: .85em; overflow-wrap: anywhere; }
svg { width: 100%; max-width: 44rem; display: block; margin: 1rem 0; }
svg text { font-size: 11px; fill: var(--ink); } svg .title { font-size: 14px; font-weight: 600; }
svg .value { font-size: 9px; } svg .grid { stroke: var(--rule); } svg polyline { fill: none; stroke-width: 2; }
.c0 { fill: #0b62a4; } .c1 { fill: #c2570c; } .c2 { fill: #1a7f5a; } .c3 { fill: #8a3ea8; }
.c4 { fill: #a8871a; } .c5 { fill: #55606e; }
.l0 { stroke: #0b62a4; } .l1 { stroke: #c2570c; } .l2 { stroke: #1a7f5a; } .l3 { stroke: #8a3ea8; }
.l4 { stroke: #a8871a; } .l5 { stroke: #55606e; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2, svg, tr { break-inside: avoid; }
  h2 { break-after: avoid; } svg { max-width: 15cm; } details { display: block; } a { color: inherit; } }
)";

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string percent(double share) { return format("%.6g %%", 100 * share); }
std::string rate(double frames) { return format("%.6g", frames / 1e6); }
std::string micro(double nanoseconds) { return format("%.2f", nanoseconds / 1e3); }
std::string count(uint64_t value) { return std::to_string(value); }

/// Rows of cells; the first row is the head. Cells are HTML already.
class Table {
 public:
  explicit Table(std::initializer_list<const char*> heads) {
    out_ = "<table><tr>";
    for (const char* head : heads) out_ += "<th>" + std::string(head) + "</th>";
    out_ += "</tr>\n";
  }
  void row(std::initializer_list<std::string> cells) {
    out_ += "<tr>";
    for (const std::string& cell : cells) out_ += "<td>" + cell + "</td>";
    out_ += "</tr>\n";
  }
  std::string end() const { return out_ + "</table>\n"; }

 private:
  std::string out_;
};

std::string tolerated(double loss) {
  return loss == 0 ? "no loss (NDR)" : "loss up to " + percent(loss) + " (PDR)";
}

std::string because(const std::string& limit) {
  if (limit == "generator") return "<span class=\"bad\">the generator</span>";
  return limit == "most" ? "nothing: all that was tried passed" : "the device";
}

std::string throughput(const Results& results) {
  if (results.throughput().empty()) return "";
  std::string out =
      "<h2>Throughput</h2><p>RFC 2544 26.1: the highest rate that passed a trial of "
      "the deciding length. Rates are of each way.</p>";
  Table table({"frames", "ways", "tolerated", "Mpps", "layer 1 Gbit/s", "layer 2 Gbit/s",
               "layer 3 Gbit/s", "decided in s", "limited by"});
  Plot plot{"Throughput by frame size", "frame size with FCS, bytes", "frames/s, each way"};
  plot.bars = true;
  for (const RateSearch& one : results.throughput()) {
    table.row({escaped(one.mix()), one.ways(), tolerated(one.tolerated_loss()),
               rate(one.rate().frames()), format("%.3f", one.rate().layer1_gbit()),
               format("%.3f", one.rate().layer2_gbit()), format("%.3f", one.rate().layer3_gbit()),
               format("%g", one.deciding_s()), because(one.limited_by())});
    const std::string name = tolerated(one.tolerated_loss());
    size_t line = 0;
    while (line < plot.lines.size() && plot.lines[line].name != name) ++line;
    if (line == plot.lines.size()) plot.lines.push_back({name, {}});
    size_t at = 0;
    while (at < plot.names.size() && plot.names[at] != one.mix()) ++at;
    if (at == plot.names.size()) plot.names.push_back(one.mix());
    plot.lines[line].points.emplace_back(at, one.rate().frames());
  }
  return out + table.end() + draw(plot);
}

std::string mixes(const Results& results) {
  if (results.mixes().empty()) return "";
  std::string out = "<h2>Mixes</h2>";
  Table table({"mix", "mean frame", "of frames with FCS", "of IP packets"});
  for (const MixShares& one : results.mixes()) {
    table.row({escaped(one.name()), format("%.2f B", one.mean_frame()), escaped(one.arithmetic()),
               escaped(one.ip_arithmetic())});
  }
  return out + table.end();
}

std::string loss(const Results& results) {
  if (results.loss().empty()) return "";
  std::string out =
      "<h2>Frame loss</h2><p>RFC 2544 26.3: from the highest rate down until two "
      "trials in a row lose nothing.</p>";
  Plot plot{"Frame loss by offered load", "offered load, % of the highest rate", "loss, %"};
  Table table({"frames", "% of highest", "Mpps asked", "Mpps offered", "loss", ""});
  for (const LossCurve& curve : results.loss()) {
    Line line{curve.mix(), {}};
    for (const LossPoint& point : curve.points()) {
      line.points.emplace_back(100 * point.share(), 100 * point.loss());
      table.row({escaped(curve.mix()), format("%.4g", 100 * point.share()), rate(point.rate()),
                 rate(point.offered()), percent(point.loss()),
                 point.short_() ? "<span class=\"bad\">not fully offered</span>" : ""});
    }
    plot.lines.push_back(line);
  }
  return out + draw(plot) + table.end();
}

std::string latency(const Results& results) {
  if (results.latency().empty()) return "";
  std::string out =
      "<h2>Latency</h2><p>RFC 2544 26.2: every frame is timed, from its hand-over to "
      "the port to its arrival, in microseconds, at the rate given.</p>";
  Plot plot{"Latency by share of frames", "share of frames that took longer, %", "microseconds"};
  plot.log_x = plot.log_y = true;
  Table table({"frames", "Mpps", "runs", "least", "mean", "50 %", "90 %", "99 %", "99.9 %", "most",
               "lost"});
  for (const LatencyRun& one : results.latency()) {
    const LatencyFigures& all = one.all();
    table.row({escaped(one.mix()), rate(one.rate().frames()), std::to_string(one.runs_size()),
               micro(all.least()), micro(all.mean()), micro(all.p50()), micro(all.p90()),
               micro(all.p99()), micro(all.p999()), micro(all.most()), count(one.lost())});
    Line line{one.mix(), {}};
    for (const Quantile& quantile : one.curve()) {
      if (quantile.share() >= 1 || quantile.share() < 0.005) continue;
      line.points.emplace_back(100 * (1 - quantile.share()), quantile.nanoseconds() / 1e3);
    }
    plot.lines.push_back(line);
  }
  return out + table.end() + draw(plot);
}

std::string back_to_back(const Results& results) {
  if (results.back_to_back().empty()) return "";
  std::string out =
      "<h2>Back-to-back frames</h2><p>RFC 2544 26.4: the longest burst without loss, "
      "the mean of the repetitions.</p>";
  Table table({"frames", "Mpps of the burst", "mean length", "repetitions", ""});
  for (const BackToBack& one : results.back_to_back()) {
    table.row({escaped(one.mix()), rate(one.rate().frames()), format("%.1f", one.mean_frames()),
               std::to_string(one.longest_size()),
               one.reached_end() ? "as long as was to be tried" : ""});
  }
  return out + table.end();
}

std::string translation(const Results& results) {
  if (results.translation().empty()) return "";
  std::string out =
      "<h2>Between IPv4 and IPv6</h2><p>RFC 8219: the median of the runs, and the 1st "
      "and 99th percentile of them. Latency in microseconds: typical is that of half "
      "of the frames, worst that of 99.9 %, variation what lies between that and the "
      "least.</p>";
  Table table({"frames left / right", "ways", "Mpps", "1 % - 99 %", "typical", "1 % - 99 %",
               "worst", "1 % - 99 %", "variation", "runs", "limited by"});
  const auto around = [](const Spread& spread, double scale) {
    return format("%.4g - %.4g", spread.p1() / scale, spread.p99() / scale);
  };
  for (const Translation& one : results.translation()) {
    table.row({format("%u / %u", one.left_size(), one.right_size()), one.ways(),
               rate(one.rate().median()), around(one.rate(), 1e6), micro(one.typical_ns().median()),
               around(one.typical_ns(), 1e3), micro(one.worst_ns().median()),
               around(one.worst_ns(), 1e3), micro(one.variation_ns().median()),
               std::to_string(one.rates_size()), because(one.limited_by())});
  }
  return out + table.end();
}

std::string connections(const Results& results) {
  if (results.connection_rate().empty() && results.concurrent().empty()) return "";
  std::string out =
      "<h2>Connections</h2><p>RFC 9411: whole lives of TCP, each with a question and "
      "its answer. A rate passes with at most 0.001 % of failures and of unexpected "
      "RSTs.</p>";
  Plot rates{"Connections completed in each second of the deciding trial", "second",
             "connections/s"};
  for (const ConnectionRate& one : results.connection_rate()) {
    out +=
        "<p><b>" + format("%.0f", one.per_second()) + "</b> new connections a second, sustained " +
        format("%g s; limited by ", one.sustained_s()) + because(one.limited_by()) + "; failed " +
        percent(one.failed_share()) + ", RSTs " + percent(one.reset_share()) + ".</p>";
    Table table({"asked /s", "seconds", "opened", "completed", "failed", "RSTs", "said again", ""});
    for (const ConnectionAttempt& attempt : one.attempts()) {
      table.row({format("%.0f", attempt.rate()), format("%g", attempt.seconds()),
                 count(attempt.ends().attempted()), count(attempt.ends().completed()),
                 count(attempt.ends().failed()), count(attempt.ends().resets()),
                 count(attempt.ends().retransmitted()),
                 attempt.passed()   ? "passed"
                 : attempt.short_() ? "<span class=\"bad\">not fully offered</span>"
                                    : "failed"});
    }
    out += table.end();
    Line line{format("%.0f/s", one.per_second()), {}};
    for (const Point& point : one.seconds()) line.points.emplace_back(point.x(), point.y());
    rates.lines.push_back(line);
  }
  out += draw(rates);
  Plot open{"Connections that are open", "second", "connections"};
  for (const Concurrent& one : results.concurrent()) {
    out += "<p><b>" + count(one.opened()) + "</b> of " + count(one.wanted()) +
           " connections at once; " + count(one.held()) + " answered to the end of " +
           format("%g s, ", one.hold_s()) + count(one.broken()) + " were broken.</p>";
    Line line{count(one.wanted()), {}};
    for (const Point& point : one.open()) line.points.emplace_back(point.x(), point.y());
    open.lines.push_back(line);
  }
  return out + draw(open);
}

/// What a server left behind that fell silent, or came back; nothing for other changes.
std::string failure(const Change& one) {
  if (one.flows_there() + one.connections_there() + one.silent() == 0) return "";
  std::string out = "<p><b>" + escaped(one.name()) + "</b> (<code>" + escaped(one.command()) +
                    "</code>): the server had " + count(one.flows_there()) + " flows and " +
                    count(one.connections_there()) + " connections. Of these " +
                    count(one.broken_there()) + " broke, of the others' " +
                    count(one.broken() - one.broken_there()) + ". " + count(one.silent()) +
                    " of the lost frames came to it or were due from it";
  if (one.flows_left() != 0) {
    return out + "; <span class=\"bad\">" + count(one.flows_left()) +
           " of its flows were not served by others</span>.</p>\n";
  }
  return out + format("; the last of its flows was served by another after %.2f s.</p>\n",
                      one.command_s());
}

std::string changes(const Results& results) {
  if (results.changes().empty()) return "";
  std::string out =
      "<h2>Change under traffic</h2><p>Blocked time is what was lost divided by the "
      "offered rate, beside a stretch of time without a change.</p>";
  Table table({"change", "took s", "offered", "lost", "blocked ms", "lost without", "connections",
               "broken", "RSTs"});
  for (const Change& one : results.changes()) {
    table.row(
        {escaped(one.name()) + (one.status() == 0 ? "" : " <span class=\"bad\">failed</span>"),
         format("%.2f", one.command_s()), count(one.sent()), count(one.lost()),
         format("%.3f", one.blocked_ms()), count(one.lost_before()), count(one.connections()),
         count(one.broken()), count(one.resets())});
  }
  out += table.end();
  for (const Change& one : results.changes()) out += failure(one);
  return out;
}

std::string trials(const Results& results) {
  if (results.trials().empty()) return "";
  Table table({"trial", "Mpps asked", "offered", "s", "sent", "lost", "refused", "twice", "late",
               "damaged", "ports sent / received", "line ns", "left out before"});
  uint32_t left_out = 0;
  for (const Trial& one : results.trials()) {
    uint64_t sent = 0, lost = 0, refused = 0, twice = 0, late = 0;
    for (const Group& group : one.groups()) {
      sent += group.sent(), lost += group.lost(), refused += group.refused();
      twice += group.duplicates(), late += group.reordered();
    }
    left_out += one.repeated();
    table.row(
        {escaped(one.purpose()) + (one.short_() ? " (short)" : "") + (one.slow() ? " (slow)" : ""),
         rate(one.rate()), rate(one.offered_rate()), format("%.2f", one.seconds()), count(sent),
         count(lost), count(refused), count(twice), count(late), count(one.corrupted()),
         count(one.port_sent()) + " / " + count(one.port_received()),
         format("%.0f", one.bounce_ns()), std::to_string(one.repeated())});
  }
  return "<h2>Trials</h2><p>All that count, in their order; " + std::to_string(left_out) +
         " were left out, because the machine was slow or paused the generator just then.</p>"
         "<details open><summary>each trial</summary>" +
         table.end() + "</details>";
}

std::string circumstances(const Results& results) {
  const Machine& machine = results.machine();
  std::string out = "<h2>Circumstances</h2>";
  Table table({"", ""});
  const auto row = [&](const char* name, const std::string& value) {
    table.row({name, "<code>" + escaped(value) + "</code>"});
  };
  std::string command;
  for (const std::string& word : results.command()) command += (command.empty() ? "" : " ") + word;
  row("command", command);
  row("seed", std::to_string(results.seed()));
  row("left", results.setup().left());
  row("right", results.setup().right());
  row("flows", results.setup().flows());
  row("processor", machine.processor() + ", " + std::to_string(machine.cpus()) + " CPUs, " +
                       format("TSC %.0f MHz, ", machine.tsc_mhz()) +
                       std::to_string(machine.memory_mib()) + " MiB");
  row("system", machine.system() + ", " + machine.kernel());
  row("kernel's command line", machine.kernel_command_line());
  row("versions", "Nezu " + results.version() + ", " + machine.dpdk());
  out += table.end();
  Table options({"option", "value"});
  for (const Option& option : results.options()) {
    options.row({escaped(option.name()), "<code>" + escaped(option.value()) + "</code>"});
  }
  return out + "<details open><summary>every option</summary>" + options.end() + "</details>";
}

}  // namespace

std::string html(const results::Results& results) {
  std::string notes;
  for (const std::string& note : results.notes()) {
    notes += "<p class=\"note\">" + escaped(note) + "</p>\n";
  }
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
         escaped(results.title()) + "</title><style>" + kStyle + "</style></head><body>\n<h1>" +
         escaped(results.title()) + "</h1><p class=\"soft\">nezu-traffic, " +
         escaped(results.started()) + ", " + format("%.0f s", results.took_s()) + "</p>\n" + notes +
         throughput(results) + mixes(results) + loss(results) + latency(results) +
         back_to_back(results) + translation(results) + connections(results) + changes(results) +
         trials(results) + circumstances(results) + "</body></html>\n";
}

}  // namespace nezu::generator
