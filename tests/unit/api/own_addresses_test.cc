// A VIP or SNAT address that the kernel has as well is refused by field path.
#include "controlplane/api/own_addresses.h"

#include <gmock/gmock.h>

#include "controlplane/config/yaml.h"

namespace nezu::api {
namespace {

net::Address address(const char* text) { return *net::parse_address(text); }

TEST(OwnAddresses, AreRefusedForServicesAndSnatSets) {
  const OwnAddresses own{{address("192.0.2.1"), "nz-front"}, {address("fd00::1"), "nz-back"}};
  store::Edit edit;
  v1::VirtualService& service = *edit.add_services();
  service.set_name("shop");
  service.set_address("192.0.2.1");
  edit.add_services()->set_address("192.0.2.2");
  v1::SnatSet& set = *edit.add_snat_sets();
  set.set_name("out");
  set.add_addresses("fd00::/120");
  set.add_addresses("192.0.2.3-192.0.2.9");
  config::Problems problems;
  check_own_addresses(config::Model(), edit, own, problems);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_THAT(problems[0].field(),
              testing::AllOf(testing::HasSubstr("shop"), testing::HasSubstr("address")));
  EXPECT_THAT(problems[0].description(), testing::HasSubstr("nz-front"));
  EXPECT_THAT(problems[1].field(), testing::HasSubstr("out"));
  EXPECT_THAT(problems[1].description(), testing::HasSubstr("nz-back"));
}

TEST(OwnAddresses, AreAskedForWhenSomethingTakesAnAddress) {
  config::Model model;
  store::Edit edit;
  v1::VirtualService& service = *edit.add_services();
  service.set_name("shop");
  service.set_address("192.0.2.1");
  EXPECT_TRUE(takes_addresses(model, edit));
  model.apply(edit);
  service.mutable_timeouts()->set_established_s(60);
  EXPECT_FALSE(takes_addresses(model, edit));
  service.set_instance(7);
  EXPECT_TRUE(takes_addresses(model, edit));
  service.set_instance(0);
  service.set_address("192.0.2.2");
  EXPECT_TRUE(takes_addresses(model, edit));
  store::Edit set;
  set.add_snat_sets()->set_name("out");
  EXPECT_TRUE(takes_addresses(model, set));
}

TEST(OwnAddresses, ThatCameLaterAreToldWithInterfaceAndUser) {
  config::Model model;
  store::Edit edit;
  v1::VirtualService& service = *edit.add_services();
  service.set_name("shop");
  service.set_address("192.0.2.10");
  v1::SnatSet& set = *edit.add_snat_sets();
  set.set_name("out");
  set.add_addresses("192.0.2.20-192.0.2.29");
  model.apply(edit);
  EXPECT_TRUE(clashes_of(model, {{address("192.0.2.1"), "nz-front"}}).empty());
  EXPECT_THAT(
      clashes_of(model, {{address("192.0.2.10"), "nz-front"}, {address("192.0.2.25"), "nz-back"}}),
      testing::ElementsAre(
          testing::AllOf(testing::HasSubstr("nz-front"), testing::HasSubstr("192.0.2.10"),
                         testing::HasSubstr("shop")),
          testing::AllOf(testing::HasSubstr("nz-back"), testing::HasSubstr("192.0.2.25"),
                         testing::HasSubstr("out"))));
}

TEST(OwnAddresses, ConcernTheirOwnNetworkInstanceOnly) {
  config::Model model;
  store::Edit edit;
  v1::NetworkInstance& red = *edit.add_instances();
  red.set_name("red");
  red.set_number(10);
  red.add_links("front.10");
  v1::VirtualService& service = *edit.add_services();
  service.set_name("shop");
  service.set_address("192.0.2.1");
  service.set_instance(10);
  const auto problems = [&](const char* interface) {
    config::Problems found;
    check_own_addresses(model, edit, {{address("192.0.2.1"), interface}}, found);
    return found.size();
  };
  EXPECT_EQ(problems("nz-front"), 0u);
  EXPECT_EQ(problems("nz-front.10"), 1u);
  model.apply(edit);
  EXPECT_TRUE(clashes_of(model, {{address("192.0.2.1"), "nz-front"}}).empty());
  EXPECT_EQ(
      clashes_of(model, {{address("192.0.2.1"), "nz-front"}, {address("192.0.2.1"), "nz-front.10"}})
          .size(),
      1u);
}

TEST(OwnAddresses, AreThoseOfTheKernelWithoutLoopback) {
  EXPECT_FALSE(own_addresses().contains(address("127.0.0.1")));
  EXPECT_FALSE(own_addresses().contains(address("::1")));
}

}  // namespace
}  // namespace nezu::api
