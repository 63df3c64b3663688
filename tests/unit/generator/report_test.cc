// The page and the comparison: what was measured stands there, and nothing from elsewhere.
#include "bench/generator/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/generator/plot.h"
#include "bench/generator/results.h"

namespace nezu::generator {
namespace {

results::Results example() {
  results::Results results;
  results.set_title("A <device> & its \"limits\"");
  results.add_command("nezu-traffic");
  MethodOptions options;
  for (const uint32_t size : {64u, 1518u}) {
    Throughput found;
    found.mix = single(size);
    found.rate = size == 64 ? 1.5e6 : 8e5;
    found.attempts.push_back({found.rate, 60, 0, true, false, true});
    record(results, found, options);
    Latency latency;
    latency.mix = single(size);
    latency.all.p50 = 1234;
    latency.curve = {{0.5, 1234}, {0.99, 5000}, {1.0, 9000}};
    record(results, latency, options);
    LossCurve curve;
    curve.mix = single(size);
    curve.points = {{1, 2e6, 2e6, 0.25, false}, {0.5, 1e6, 1e6, 0, false}};
    record(results, curve, options);
  }
  record(results, parse_mix("simple-ip", 1518));
  return results;
}

/// Elements that open and close, by name: SVG and HTML of ours are well formed.
void expect_balanced(const std::string& page) {
  std::vector<std::string> open;
  std::size_t at = 0;
  while ((at = page.find('<', at)) != std::string::npos) {
    const std::size_t end = page.find('>', at);
    ASSERT_NE(end, std::string::npos) << page.substr(at);
    const std::string tag = page.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with('!') || tag.ends_with('/')) continue;
    const bool closes = tag.starts_with('/');
    const std::string name = tag.substr(closes, tag.find(' ') - closes);
    if (name == "meta") continue;
    if (!closes) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << name;
      EXPECT_EQ(open.back(), name);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Report, SaysWhatWasMeasured) {
  const std::string page = html(example());
  EXPECT_NE(page.find("Throughput"), std::string::npos);
  EXPECT_NE(page.find("<td>1.5</td><td>1.008</td><td>0.768</td>"), std::string::npos)
      << "1.5 Mpps of 64 bytes on layers 1 and 2";
  EXPECT_NE(page.find("56.415 %"), std::string::npos);
  EXPECT_NE(page.find("25 %"), std::string::npos);
  EXPECT_EQ(page.find("Back-to-back"), std::string::npos) << "was not measured";
  expect_balanced(page);
}

/// What stands after the name of the line that begins with this, with one space between columns.
std::string columns_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name);
  if (at == std::string::npos) return "no line " + name;
  constexpr std::size_t name_width = 56;
  std::istringstream words(
      text.substr(at + 1 + name_width, text.find('\n', at + 1) - at - 1 - name_width));
  std::string all, word;
  while (words >> word) all += (all.empty() ? "" : " ") + word;
  return all;
}

TEST(Report, NeedsNothingElseAndLetsNoTextBeMarkup) {
  const std::string page = html(example());
  for (const char* outside : {"http://", "https://", "<script", "<link", "<img", "url("}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(page.find("<device>"), std::string::npos);
  EXPECT_NE(page.find("A &lt;device&gt; &amp; its &quot;limits&quot;"), std::string::npos);
}

TEST(Report, SaysWhatAFailedServerLeftBehind) {
  results::Results results;
  results::Change& push = *results.add_changes();
  push.set_name("push of 1");
  push.set_connections(100);
  results::Change& failed = *results.add_changes();
  failed.set_name("server failed");
  failed.set_command("mute 10.0.0.13");
  failed.set_command_s(1.25);
  failed.set_connections(100);
  failed.set_broken(26);
  failed.set_connections_there(25);
  failed.set_broken_there(25);
  failed.set_flows_there(16);
  failed.set_silent(500);
  std::string page = html(results);
  EXPECT_NE(
      page.find("the server had 16 flows and 25 connections. Of these 25 broke, of the others' "
                "1. 500 of the lost frames came to it or were due from it; the last of its "
                "flows was served by another after 1.25 s."),
      std::string::npos)
      << page;
  EXPECT_EQ(page.find("<b>push of 1</b>"), std::string::npos) << "no server was in it";
  expect_balanced(page);
  failed.set_flows_left(16);
  page = html(results);
  EXPECT_NE(page.find("16 of its flows were not served by others"), std::string::npos) << page;
  expect_balanced(page);
  EXPECT_EQ(columns_of(compare(results, results), "change server failed, broken elsewhere"),
            "1 1 1.000");
}

TEST(Report, OfNothingIsAPage) { expect_balanced(html({})); }

TEST(Report, ComesBackFromItsFile) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("nezu-report-" + std::to_string(::getpid()) + ".json");
  results::Results results = example();
  TrialResult trial;
  GroupCounts group;
  group.sent = uint64_t{1} << 60;  // more than a double holds exactly
  group.delivered = group.sent - 1;
  trial.groups.push_back(group);
  trial.seconds = 1;
  record(results, trial, 1e9);
  save(results, path);
  const results::Results again = load(path);
  EXPECT_EQ(again.SerializeAsString(), results.SerializeAsString());
  EXPECT_EQ(again.trials(0).groups(0).lost(), 1u);
  std::ofstream(path) << "{\"throughput\": 7}";
  EXPECT_THROW(load(path), std::runtime_error);
  std::filesystem::remove(path);
  EXPECT_THROW(load(path), std::runtime_error);
}

TEST(Compare, PutsSideBySideWhatBothHave) {
  results::Results a = example(), b = example();
  b.mutable_throughput(0)->mutable_rate()->set_frames(3e6);
  b.mutable_throughput()->RemoveLast();
  b.add_back_to_back()->set_mix("64");
  const std::string text = compare(a, b);
  EXPECT_EQ(columns_of(text, "throughput 64 to right"), "1.5e+06 3e+06 2.000") << text;
  EXPECT_EQ(columns_of(text, "throughput 1518"), "800000 -") << text;
  EXPECT_EQ(columns_of(text, "back-to-back 64"), "- 0") << text;
}

TEST(Plot, PutsPointsWhereTheyBelong) {
  Plot plot{"title", "x", "y"};
  plot.lines = {{"a", {{0, 0}, {10, 100}}}};
  const std::string svg = draw(plot);
  EXPECT_NE(svg.find("cx=\"70.0\" cy=\"248.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("cx=\"624.0\" cy=\"34.0\""), std::string::npos) << svg;
  EXPECT_EQ(draw({"title", "x", "y"}), "");
}

TEST(Plot, BearsWhatHasNoExtent) {
  for (const bool logarithmic : {false, true}) {
    Plot plot{"title", "x", "y"};
    plot.log_x = plot.log_y = logarithmic;
    plot.lines = {{"a", {{1, 1}}}, {"b", {{0, 0}}}};
    const std::string svg = draw(plot);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

TEST(Plot, NumbersAreShort) {
  EXPECT_EQ(with_prefix(1'250'000), "1.25 M");
  EXPECT_EQ(with_prefix(640), "640");
  EXPECT_EQ(with_prefix(12'000), "12 k");
  EXPECT_EQ(with_prefix(0), "0");
}

}  // namespace
}  // namespace nezu::generator
