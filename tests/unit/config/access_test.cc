// Access lists in a configuration.
#include <gmock/gmock.h>

#include "checked.h"

namespace nezu::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Access, EntriesArePrefixesOfWhichNoneIsInBothLists) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                auto& access = *c.mutable_services(0)->mutable_access();
                access.add_allow("192.0.2.9/24");
                access.add_allow("nonsense");
                access.add_deny("192.0.2.0/24");
                access.add_deny("10.0.0.0-10.0.0.9");
              }),
              AllOf(HasSubstr("services[\"shop\"].access.allow[1]: nonsense: This is no prefix"),
                    HasSubstr("services[\"shop\"].access.deny[0]: 10.0.0.0-10.0.0.9: This is no"),
                    HasSubstr("services[\"shop\"].access.deny[1]: 192.0.2.0/24: It is denied and "
                              "allowed (services[\"shop\"].access.allow[0])")));
}

TEST(Access, AnEmptyListOfThoseWhoMayIsNotMeant) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                c.mutable_settings()->mutable_access()->set_deny_others(true);
              }),
              HasSubstr("settings.access.allow: : Nobody is allowed"));
}

TEST(Access, OfTheStandardInstanceStandsInTheSettings) {
  EXPECT_THAT(problems_with([](v1::Configuration& c) {
                v1::NetworkInstance& standard = *c.add_instances();
                standard.set_name("standard");
                standard.mutable_access()->add_deny("192.0.2.0/24");
              }),
              HasSubstr("instances[\"standard\"].access: : The standard instance's access list"));
}

TEST(Access, HasALimit) {
  const auto with = [](int entries) {
    return problems_with([entries](v1::Configuration& c) {
      for (int i = 0; i < entries; ++i) {
        c.mutable_settings()->mutable_access()->add_deny(
            net::to_string(net::Address::v4(0x0a000000u + static_cast<uint32_t>(i))));
      }
    });
  };
  EXPECT_EQ(with(100'000), "");
  EXPECT_THAT(with(100'001), HasSubstr("settings.access: 100001: An access list has at most"));
}

}  // namespace
}  // namespace nezu::config
