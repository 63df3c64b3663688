#include "controlplane/config/update.h"

#include <gmock/gmock.h>

#include "sample.h"

namespace nezu::config {
namespace {

using testing::IsEmpty;

template <typename T>
T updated(T target, const std::string& source, const std::vector<std::string>& paths = {}) {
  T given;
  EXPECT_THAT(from_yaml(source, given), IsEmpty());
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) {
    mask.add_paths(path);
  }
  const Problems problems = update(target, given, mask);
  EXPECT_THAT(text_of(problems), "");
  return target;
}

TEST(Update, WithoutMaskTakesWhatIsSet) {
  v1::VirtualService shop = sample().services(0);
  shop = updated(shop, "{name: shop, port: 81, timeouts: {udp_s: 9}}");
  EXPECT_EQ(shop.port(), 81u);
  EXPECT_EQ(shop.timeouts().udp_s(), 9u);
  EXPECT_EQ(shop.timeouts().established_s(), 900u);
  EXPECT_EQ(shop.pool(), "web");
}

TEST(Update, TakesOnlyWhatTheMaskNames) {
  const v1::VirtualService shop =
      updated(sample().services(0), "{name: shop, port: 81, pool: other}", {"pool"});
  EXPECT_EQ(shop.port(), 80u);
  EXPECT_EQ(shop.pool(), "other");
}

TEST(Update, ClearsWhatTheMaskNamesAndNobodySet) {
  const v1::Pool pool = updated(sample().pools(0), "name: web", {"check", "servers"});
  EXPECT_FALSE(pool.has_check());
  EXPECT_EQ(pool.servers_size(), 0);
  EXPECT_EQ(pool.scheduler(), v1::SCHEDULER_MH);
}

TEST(Update, TakesAZeroThatIsMeant) {
  EXPECT_FALSE(updated(sample().services(0), "enabled: false").enabled());
  const v1::RealServer server = updated(sample().pools(0).servers(0), "weight: 0");
  EXPECT_TRUE(server.has_weight());
  EXPECT_EQ(server.weight(), 0u);
}

TEST(Update, ReplacesListsWhole) {
  const v1::Pool pool = updated(sample().pools(0), "servers: [{address: 10.9.9.9, port: 1}]");
  ASSERT_EQ(pool.servers_size(), 1);
  EXPECT_EQ(pool.servers(0).address(), "10.9.9.9");
}

TEST(Update, ChangesTheKindOfACheck) {
  const v1::Pool pool = updated(sample().pools(0), "check: {tcp: {}}");
  EXPECT_TRUE(pool.check().has_tcp());
  EXPECT_EQ(pool.check().interval_ms(), 500u);
}

TEST(Update, StarReplacesAll) {
  const v1::Pool pool = updated(sample().pools(0), "name: web", {"*"});
  EXPECT_EQ(pool.scheduler(), v1::SCHEDULER_UNSPECIFIED);
}

TEST(Update, RefusesAnUnknownPathAndChangesNothing) {
  v1::VirtualService shop = sample().services(0);
  google::protobuf::FieldMask mask;
  mask.add_paths("port");
  mask.add_paths("prot");
  mask.add_paths("port.x");
  const Problems problems = update(shop, v1::VirtualService(), mask);
  EXPECT_EQ(problems.size(), 2u);
  EXPECT_EQ(shop.port(), 80u);
}

}  // namespace
}  // namespace nezu::config
