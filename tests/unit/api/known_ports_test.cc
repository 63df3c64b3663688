// Interfaces of ports that the data plane does not have, through a real channel; it is played.
#include "fixture.h"

namespace nezu::api {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class KnownPorts : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    publisher.reading.ports.resize(2);
    publisher.reading.ports[0].name = "front";
    publisher.reading.ports[1].name = "back";
  }
  /// What a change to these interfaces would be warned of.
  std::string warnings(const std::string& interfaces) {
    const auto response = apply(from<v1::Configuration>(R"(
      services:
      - { name: shop, address: 192.0.2.10, port: 80, pool: web, interfaces: )" +
                                                        interfaces + R"( }
      pools:
      - { name: web, servers: [{ address: 10.0.0.5, port: 8080 }] }
      snat_sets:
      - { name: out, addresses: [192.0.2.99] }
      source_nats:
      - { name: mail, snat_set: out, networks: [10.0.0.0/24], outside_interfaces: )" +
                                                        interfaces + " }"),
                                true);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return config::text_of({response.warnings().begin(), response.warnings().end()});
  }
};

TEST_F(KnownPorts, OthersAreWarnedOf) {
  EXPECT_THAT(warnings("[front, back.10]"), Not(HasSubstr("has no such port")));
  EXPECT_THAT(
      warnings("[front, bakc]"),
      AllOf(HasSubstr("services[\"shop\"].interfaces[0]: bakc: The running data plane has no "
                      "such port, so nothing comes in by it; it has back, front."),
            HasSubstr("source_nats[\"mail\"].outside_interfaces[0]: bakc")));
}

TEST_F(KnownPorts, NothingIsSaidWhileNobodyKnows) {
  publisher.is_attached = false;
  EXPECT_THAT(warnings("[bakc]"), Not(HasSubstr("has no such port")));
}

}  // namespace
}  // namespace nezu::api
