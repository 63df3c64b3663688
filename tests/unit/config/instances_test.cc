// Network instances in a configuration: who is in which, and what they are called.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The sample with everything of the first service in network instance 10.
v1::Configuration in_red() {
  v1::Configuration c = sample();
  v1::NetworkInstance& red = *c.add_instances();
  red.set_name("red");
  red.set_number(10);
  red.add_links("front.10");
  c.mutable_services(0)->set_instance(10);
  c.mutable_pools(0)->set_instance(10);
  for (v1::RealServer& server : *c.mutable_pools(0)->mutable_servers()) server.set_instance(0);
  return c;
}

template <typename Spoil>
std::string problems_in_red(Spoil spoil) {
  v1::Configuration configuration = in_red();
  spoil(configuration);
  return check(configuration).problems;
}

TEST(Instances, HoldAServiceWithItsPool) {
  ASSERT_EQ(in_red().pools(0).name(), in_red().services(0).pool());
  EXPECT_EQ(check(in_red()).problems, "");
  // The same VIP and port, and servers, in another one.
  EXPECT_EQ(problems_in_red([](v1::Configuration& c) {
              v1::VirtualService twin = c.services(0);
              v1::Pool pool = c.pools(0);
              twin.set_name("twin");
              twin.set_instance(0);
              twin.set_pool("twin");
              pool.set_name("twin");
              pool.set_instance(0);
              *c.add_services() = twin;
              *c.add_pools() = pool;
            }),
            "");
}

TEST(Instances, AreNamedByANumberThatExists) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) { c.mutable_services(0)->set_instance(2); }),
              HasSubstr("services[\"shop\"].instance: 2: There is no network instance"));
  EXPECT_THAT(problems_in_red([](v1::Configuration& c) { c.mutable_instances(0)->set_number(11); }),
              AllOf(HasSubstr("services[\"shop\"].instance: 10: There is no network instance"),
                    HasSubstr("pools[\"web\"].instance: 10: There is no network instance")));
  EXPECT_THAT(
      problems_in_red([](v1::Configuration& c) { c.mutable_snat_sets(0)->set_instance(3); }),
      AllOf(HasSubstr("snat_sets[\"out\"].instance: 3: There is no network instance"),
            HasSubstr("services[\"names\"].snat_set: out: The service is in the standard")));
}

TEST(Instances, OfServicePoolAndServersAreTheSame) {
  EXPECT_THAT(problems_in_red([](v1::Configuration& c) { c.mutable_pools(0)->set_instance(0); }),
              HasSubstr("services[\"shop\"].pool: web: The service is in network instance 10, but "
                        "pool web is in the standard network instance"));
  EXPECT_THAT(problems_in_red([](v1::Configuration& c) {
                c.mutable_pools(0)->mutable_servers(0)->set_instance(7);
              }),
              HasSubstr("A server is in its pool's network instance"));
}

TEST(Instances, HaveNamesNumbersAndLinksOfTheirOwn) {
  const auto add = [](v1::Configuration& c, const char* name, uint32_t number,
                      std::vector<std::string> links) {
    v1::NetworkInstance& one = *c.add_instances();
    one.set_name(name);
    one.set_number(number);
    for (const std::string& link : links) one.add_links(link);
  };
  const auto with = [&](const char* name, uint32_t number, std::vector<std::string> links) {
    return problems_in_red([&](v1::Configuration& c) { add(c, name, number, links); });
  };
  EXPECT_EQ(with("blue", 20, {"front", "front.20", "back.10"}), "");
  EXPECT_EQ(with("standard", 0, {"front.30"}), "");
  EXPECT_THAT(with("standard", 5, {}), HasSubstr("The standard network instance has number 0"));
  EXPECT_THAT(with("blue", 10, {}), HasSubstr("Network instance red has the same number"));
  EXPECT_THAT(with("blue", 20, {"front.10"}), HasSubstr("The link is in network instance red"));
  EXPECT_THAT(with("blue", 20, {"front.1", "front.1"}), HasSubstr("The link is given twice"));
  for (const uint32_t number : {0u, 253u, 254u, 255u, 65535u, 1u << 20}) {
    EXPECT_THAT(with("blue", number, {}), HasSubstr("The number must be 1 to 65534")) << number;
  }
  for (const char* name : {"", "1blue", "a name", "sixteen-letters-", "red/blue"}) {
    EXPECT_THAT(with(name, 20, {}), HasSubstr("The name must be a letter")) << name;
  }
  for (const char* link : {"", ".10", "front.", "front.0", "front.010", "front.4095", "front.x",
                           "front.10.20", "a port", "much-too-long-a-port"}) {
    EXPECT_THAT(with("blue", 20, {link}), HasSubstr("This is no link")) << link;
  }
}

TEST(Instances, AServicesInterfacesAreItsInstances) {
  const auto shop = [](uint32_t instance, const char* interface,
                       std::vector<const char*> links = {}) {
    return check([&] {
      v1::Configuration c = in_red();
      for (const char* link : links) c.mutable_instances(0)->add_links(link);
      if (instance == 0) {
        c.mutable_services(0)->set_instance(0);
        c.mutable_pools(0)->set_instance(0);
      }
      c.mutable_services(0)->add_interfaces(interface);
      return c;
    }());
  };
  EXPECT_EQ(shop(10, "front.10").problems, "");
  EXPECT_EQ(shop(10, "front").problems, "") << "with any tag, so also with this one";
  EXPECT_EQ(shop(0, "front").problems, "") << "untagged frames are the standard instance's";
  EXPECT_EQ(shop(0, "back").problems, "");
  EXPECT_THAT(
      shop(0, "front.10").problems,
      HasSubstr("services[\"shop\"].interfaces[0]: front.10: The service is in the standard "
                "network instance, but front.10 is in network instance 10"));
  EXPECT_THAT(shop(10, "back").problems, HasSubstr("back is in the standard network instance"));
  EXPECT_EQ(shop(10, "back", {"back.7"}).problems, "");
  EXPECT_THAT(shop(0, "back", {"back"}).problems, HasSubstr("back is in network instance 10"));
  EXPECT_EQ(shop(0, "front.11").problems, "");
  EXPECT_THAT(shop(0, "front.11").warnings, HasSubstr("No network instance has this VLAN"));
  EXPECT_THAT(shop(0, "front").warnings, testing::Not(HasSubstr("No network instance")));
}

void put_in_force(v1::Configuration configuration, Model& model) {
  Problems problems;
  normalise(configuration);
  model.apply(edit_to(model, configuration, problems));
  EXPECT_EQ(text_of(problems), "");
}

TEST(Instances, AreNotTakenFromThoseInThem) {
  Model model;
  put_in_force(in_red(), model);
  store::Edit edit;
  edit.add_removed_instances("red");
  model.apply(edit);
  EXPECT_THAT(
      text_of(problems_between(model, edit)),
      AllOf(HasSubstr("services[\"shop\"].instance"), HasSubstr("pools[\"web\"].instance")));
}

/// A link that moves leaves no service waiting for what comes elsewhere.
TEST(Instances, LinksAreNotTakenFromServicesThatNameThem) {
  Model model;
  v1::Configuration c = in_red();
  c.mutable_services(0)->add_interfaces("front.10");
  put_in_force(c, model);
  store::Edit edit;
  *edit.add_instances() = c.instances(0);
  edit.mutable_instances(0)->set_links(0, "front.12");
  v1::NetworkInstance& standard = *edit.add_instances();
  standard.set_name("standard");
  standard.add_links("front.10");
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)),
              HasSubstr("interfaces[0]: front.10: The service is in network instance 10"));
}

/// A pool's users are looked at also when only the pool is changed.
TEST(Instances, APoolThatMovesLeavesNoServiceBehind) {
  v1::Configuration configuration = in_red();
  normalise(configuration);
  Model model;
  put_in_force(configuration, model);
  store::Edit edit;
  *edit.add_pools() = configuration.pools(0);
  edit.mutable_pools(0)->set_instance(0);
  for (v1::RealServer& server : *edit.mutable_pools(0)->mutable_servers()) server.set_instance(0);
  model.apply(edit);
  EXPECT_THAT(text_of(problems_between(model, edit)), HasSubstr("services[\"shop\"].pool"));
}

TEST(Instances, GoByTheirNamesInFiles) {
  const v1::Configuration c = parse(R"(
services:
- {name: shop, instance: red, address: 203.0.113.10, port: 80, pool: web}
- {name: names, instance: standard, address: 203.0.113.10, port: 80, pool: web}
pools:
- {name: web, instance: 10, servers: [{address: 10.0.0.1, port: 80}]}
instances:
- {name: red, number: 10, links: [front.10]}
)");
  EXPECT_EQ(c.services(0).instance(), 10u);
  EXPECT_EQ(c.services(1).instance(), 0u);
  EXPECT_EQ(c.pools(0).instance(), 10u);
  v1::Configuration wrong;
  EXPECT_FALSE(from_yaml("services: [{name: shop, instance: blue}]", wrong).empty());
}

}  // namespace
}  // namespace nezu::config
