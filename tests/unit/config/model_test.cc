#include "controlplane/config/model.h"

#include <gmock/gmock.h>

#include <random>

#include "controlplane/config/diff.h"
#include "sample.h"

namespace nezu::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

store::Edit edit_of(const Model& model, const v1::Configuration& wanted) {
  Problems problems;
  store::Edit edit = edit_to(model, wanted, problems);
  EXPECT_THAT(problems, IsEmpty());
  return edit;
}

std::string sorted_text(const Model& model) { return to_yaml(model.ordered()); }

TEST(Model, KnowsWhoRefersToWhom) {
  Model model;
  model.apply(edit_of(model, sample()));
  EXPECT_THAT(model.users_of_pool("web"), ElementsAre("shop"));
  EXPECT_THAT(model.users_of_snat_set("out"), ElementsAre("names"));
  EXPECT_THAT(model.services_at(0, "203.0.113.10"), ElementsAre("names", "shop"));
  EXPECT_THAT(model.pools_at(0, "10.0.0.1"), ElementsAre("dns", "web"));
  store::Edit edit;
  edit.add_removed_services("shop");
  model.apply(edit);
  EXPECT_THAT(model.users_of_pool("web"), IsEmpty());
  EXPECT_THAT(model.services_at(0, "203.0.113.10"), ElementsAre("names"));
}

TEST(Model, IsTheSameAfterAnUndo) {
  Model model;
  model.apply(edit_of(model, sample()));
  const std::string before = sorted_text(model);
  v1::Configuration other = sample();
  other.mutable_services()->DeleteSubrange(0, 1);
  other.mutable_pools(0)->mutable_servers(0)->set_weight(9);
  other.mutable_pools(0)->set_name("renamed");
  other.mutable_settings()->set_embryonic_percent(7);
  const store::Edit undo = model.apply(edit_of(model, other));
  EXPECT_NE(sorted_text(model), before);
  model.apply(undo);
  EXPECT_EQ(sorted_text(model), before);
}

TEST(Model, SurvivesRandomEditsAndTheirUndos) {
  std::mt19937 random(7);
  Model model;
  std::vector<std::pair<std::string, store::Edit>> undos;
  for (int round = 0; round < 500; ++round) {
    store::Edit edit;
    for (unsigned i = 0; i < 4; ++i) {
      const std::string name = "s" + std::to_string(4 * (random() % 5) + i);
      if (random() % 3 == 0) {
        edit.add_removed_services(name);
      } else {
        v1::VirtualService& service = *edit.add_services();
        service.set_name(name);
        service.set_address("10.0.0." + std::to_string(random() % 9));
        service.set_pool("p" + std::to_string(random() % 3));
      }
    }
    const std::string before = sorted_text(model);
    undos.emplace_back(before, model.apply(edit));
    size_t users = 0;
    for (const char* pool : {"p0", "p1", "p2"}) {
      users += model.users_of_pool(pool).size();
    }
    ASSERT_EQ(users, model.services().size());
    ASSERT_EQ(static_cast<int>(users), model.ordered().services_size());
  }
  while (!undos.empty()) {
    model.apply(undos.back().second);
    ASSERT_EQ(sorted_text(model), undos.back().first);
    undos.pop_back();
  }
}

}  // namespace
}  // namespace nezu::config
