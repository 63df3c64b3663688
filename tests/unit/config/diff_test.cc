#include "controlplane/config/diff.h"

#include <gmock/gmock.h>

#include "sample.h"

namespace nezu::config {
namespace {

using testing::IsEmpty;

v1::Diff between(const v1::Configuration& from, const v1::Configuration& to) {
  Model model;
  Problems problems;
  model.apply(edit_to(model, from, problems));
  const store::Edit edit = edit_to(model, to, problems);
  EXPECT_THAT(problems, IsEmpty());
  const store::Edit undo = model.apply(edit);
  return describe(edit, undo);
}

/// "kind object field:before>after ..." lines.
std::string text_of(const v1::Diff& diff) {
  std::string text;
  for (const v1::Change& change : diff.changes()) {
    text += std::string(1, "?+-~"[change.kind()]) + change.object();
    for (const v1::FieldChange& field : change.fields()) {
      text += " " + field.field() + ":" + field.before() + ">" + field.after();
    }
    text += "\n";
  }
  return text;
}

TEST(Diff, IsEmptyWhateverTheOrder) {
  v1::Configuration shuffled = sample();
  shuffled.mutable_services()->SwapElements(0, 1);
  shuffled.mutable_pools()->SwapElements(0, 1);
  shuffled.mutable_pools(1)->mutable_servers()->SwapElements(0, 1);
  normalise(shuffled);
  EXPECT_EQ(text_of(between(sample(), shuffled)), "");
}

TEST(Diff, TellsFieldsApart) {
  v1::Configuration after = sample();
  after.mutable_services(0)->set_port(8080);
  after.mutable_services(0)->mutable_timeouts()->set_udp_s(7);
  EXPECT_EQ(text_of(between(sample(), after)),
            "~services[\"shop\"] port:80>8080 timeouts.udp_s:300>7\n");
}

TEST(Diff, TellsServersApartFromTheirPool) {
  v1::Configuration after = sample();
  auto* web = after.mutable_pools(0);
  web->mutable_servers(0)->set_weight(0);
  web->mutable_servers(1)->set_port(81);
  EXPECT_EQ(text_of(between(sample(), after)),
            "~pools[\"web\"].servers[\"10.0.0.1:8080\"] weight:1>0\n"
            "+pools[\"web\"].servers[\"10.0.0.2:81\"] address:>10.0.0.2 port:>81 protocol:>tcp "
            "weight:>3 state:>ready\n"
            "-pools[\"web\"].servers[\"10.0.0.2:8080\"]\n");
}

TEST(Diff, TellsAnotherKindOfCheck) {
  v1::Configuration after = sample();
  after.mutable_pools(1)->mutable_check()->mutable_tcp();
  EXPECT_EQ(text_of(between(sample(), after)), "~pools[\"dns\"] check.icmp:set> check.tcp:>set\n");
}

TEST(Diff, CountsWhatItDoesNotList) {
  v1::Configuration many;
  for (int i = 0; i < 3000; ++i) {
    many.add_pools()->set_name("p" + std::to_string(i));
  }
  normalise(many);
  const v1::Diff diff = between({}, many);
  EXPECT_EQ(diff.added(), 3000u);
  EXPECT_EQ(diff.changes_size(), kMostChanges);
}

TEST(Diff, RefusesANameTwice) {
  v1::Configuration twice = sample();
  *twice.add_services() = twice.services(0);
  Problems problems;
  const Model model;
  edit_to(model, twice, problems);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].field(), "services[\"shop\"].name");
}

}  // namespace
}  // namespace nezu::config
