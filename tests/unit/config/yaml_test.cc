#include "controlplane/config/yaml.h"

#include <gmock/gmock.h>

#include "nezu/v1/state.pb.h"
#include "sample.h"

namespace nezu::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string problems_of(const std::string& text) {
  v1::Configuration configuration;
  return text_of(from_yaml(text, configuration));
}

TEST(Yaml, ReadsWhatAnOperatorWrites) {
  const v1::Configuration c = parse(kSample);
  ASSERT_EQ(c.services_size(), 2);
  EXPECT_EQ(c.services(0).name(), "shop");
  EXPECT_EQ(c.services(1).mode(), v1::MODE_FULLNAT);
  EXPECT_EQ(c.pools(0).scheduler(), v1::SCHEDULER_MH);
  EXPECT_EQ(c.pools(0).servers(0).weight(), 3u);
  EXPECT_FALSE(c.pools(0).servers(1).has_weight());
  EXPECT_TRUE(c.pools(0).check().has_http());
  EXPECT_TRUE(c.pools(1).check().has_icmp());
  EXPECT_EQ(c.snat_sets(0).addresses(1), "192.0.2.8-192.0.2.11");
}

TEST(Yaml, WritesWhatItReads) {
  const v1::Configuration c = sample();
  v1::Configuration from_text;
  EXPECT_THAT(from_yaml(to_yaml(c), from_text), IsEmpty()) << to_yaml(c);
  EXPECT_TRUE(equal(c, from_text)) << to_yaml(c);
  v1::Configuration from_json;
  EXPECT_THAT(from_yaml(to_json(c), from_json), IsEmpty()) << to_json(c);
  EXPECT_TRUE(equal(c, from_json)) << to_json(c);
}

TEST(Yaml, KeepsAwkwardText) {
  v1::VirtualService service;
  for (const char* text : {"yes", "1e3", "null", "~", "a: b", "- x", "#no", "\"q\"", "two\nlines",
                           "tab\t", "\\", "caf\xc3\xa9", "'", "0x10", " lead", "{}", "", "Off"}) {
    service.set_description(text);
    for (const std::string& written : {to_yaml(service), to_json(service)}) {
      v1::VirtualService back;
      EXPECT_THAT(from_yaml(written, back), IsEmpty()) << written;
      EXPECT_EQ(back.description(), text) << written;
    }
  }
}

TEST(Yaml, NamesAnUnknownKeyAndWhatWasMeant) {
  const std::string text = problems_of("services: [{name: shop, prot: 80}]");
  EXPECT_THAT(text, HasSubstr("services[\"shop\"].prot: "));
  EXPECT_THAT(text, HasSubstr("did you mean port?"));
  EXPECT_THAT(problems_of("pools: [{name: a, check: {interval: 5}}]"),
              HasSubstr("did you mean interval_ms?"));
  EXPECT_THAT(problems_of("xyzzy: 1"),
              HasSubstr("the fields are services, pools, snat_sets, settings"));
}

TEST(Yaml, TellsEveryProblemAtOnceWithItsLine) {
  const std::string text = problems_of(R"(services:
  - name: shop
    port: eighty
    mode: nta
    enabled: maybe
    bogus: 1
    name: again
pools: 7
)");
  EXPECT_THAT(text, HasSubstr("services[\"shop\"].port (line 3) must be a whole number"));
  EXPECT_THAT(text, HasSubstr("must be one of nat, fullnat, route"));
  EXPECT_THAT(text, HasSubstr("services[\"shop\"].enabled (line 5) must be true or false"));
  EXPECT_THAT(text, HasSubstr("bogus"));
  EXPECT_THAT(text, HasSubstr("name (line 7) is given twice"));
  EXPECT_THAT(text, HasSubstr("pools (line 8) must be a list"));
}

TEST(Yaml, RefusesTwoKindsOfOneChoice) {
  EXPECT_THAT(problems_of("pools: [{name: a, check: {tcp: {}, icmp: {}}}]"),
              HasSubstr("excludes tcp; give one of them"));
}

TEST(Yaml, TakesAKindWithoutFieldsByItsNameAlone) {
  EXPECT_TRUE(parse("pools: [{name: a, check: {tcp: }}]").pools(0).check().has_tcp());
}

TEST(Yaml, LabelsServersByAddress) {
  EXPECT_THAT(problems_of("pools: [{name: a, servers: [{address: 2001:db8::1, port: 8, x: 1}]}]"),
              HasSubstr("pools[\"a\"].servers[\"[2001:db8::1]:8\"].x"));
}

TEST(Yaml, ReadsTimes) {
  v1::RealServer server;
  EXPECT_THAT(from_yaml("drain_deadline: 2026-01-31T12:00:00Z", server), IsEmpty());
  EXPECT_EQ(server.drain_deadline().seconds(), 1769860800);
  EXPECT_THAT(to_yaml(server), HasSubstr("2026-01-31T12:00:00Z"));
  EXPECT_THAT(text_of(from_yaml("drain_deadline: tomorrow", server)), HasSubstr("must be a time"));
}

TEST(Yaml, RefusesTextThatIsNoUtf8) {
  for (const char* text : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "caf\xe9"}) {
    EXPECT_NE(problems_of("services: [{description: \"" + std::string(text) + "\"}]"), "") << text;
  }
}

TEST(Yaml, SurvivesNonsense) {
  for (const char* text : {"", "---", "[", "{", "a: b: c", "&a [*a]", "- 1", "\x01", "!!binary x",
                           "services: &x [{name: a, pool: *x}]", "? [1]\n: 2", "--- 1\n--- 2"}) {
    v1::Configuration configuration;
    from_yaml(text, configuration);
  }
  v1::Configuration configuration;
  EXPECT_FALSE(from_yaml(std::string(100000, '['), configuration).empty());
}

TEST(Yaml, EndsAtAliasesOfAliases) {
  std::string bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char c = 'b'; c < 'm'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) {
      bomb += std::string(i == 0 ? "*" : ",*") + static_cast<char>(c - 1);
    }
    bomb += "]\n";
  }
  v1::Configuration configuration;
  EXPECT_FALSE(from_yaml(bomb, configuration).empty());
}

TEST(Yaml, ShowsZerosWhenAsked) {
  v1::TrafficCounters counters;
  EXPECT_THAT(to_json(counters, Detail::all), HasSubstr("\"packets_to_server\": 0"));
  EXPECT_THAT(to_json(counters), testing::Not(HasSubstr("packets")));
  v1::WatchResponse response;
  EXPECT_THAT(to_json(response, Detail::all), testing::Not(HasSubstr("initial_complete")));
}

TEST(Yaml, ShortensEnumNames) {
  EXPECT_EQ(short_name(*v1::WithoutServer_descriptor()->FindValueByNumber(1)), "refuse");
  EXPECT_EQ(short_name(*v1::HttpMethod_descriptor()->FindValueByNumber(1)), "get");
  EXPECT_EQ(short_name(*v1::Mode_descriptor()->FindValueByNumber(4)), "tunnel_ipip");
}

}  // namespace
}  // namespace nezu::config
