// Changing some entries of access lists, through a real channel.
#include "fixture.h"

namespace nezu::api {
namespace {

using config::sample;
using testing::HasSubstr;

TEST_F(Api, ChangesSomeEntriesOfAnAccessList) {
  apply(sample());
  const auto change = [this](const std::string& text) {
    const auto request = from<v1::ChangeAccessRequest>(text);
    grpc::ClientContext context;
    v1::ChangeResponse response;
    status = configuration->ChangeAccess(&context, request, &response);
  };
  const auto list = [this] { return get().configuration().services(0).access(); };
  ASSERT_EQ(get().configuration().services(0).name(), "names");
  change("{service: names, deny: [192.0.2.9/24, 198.51.100.0/24], allow: [192.0.2.7]}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(list().deny(), testing::ElementsAre("192.0.2.0/24", "198.51.100.0/24"));
  EXPECT_THAT(list().allow(), testing::ElementsAre("192.0.2.7/32"));
  change("{service: names, allow: [192.0.2.0/24], remove: [198.51.100.9/24]}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(list().deny(), testing::IsEmpty());
  EXPECT_THAT(list().allow(), testing::ElementsAre("192.0.2.0/24", "192.0.2.7/32"));
  const uint64_t revision = get().revision();
  change("{service: names, deny: [10.0.0.0/8], remove: [172.16.0.0/12]}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("172.16.0.0/12 is in neither list"));
  change("{service: names, deny: [nonsense]}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  change("{service: nobody, deny: [10.0.0.0/8]}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  change("{deny: [10.0.0.0/8]}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(get().revision(), revision);
  change("{service: names, remove: [192.0.2.0/24, 192.0.2.7]}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(get().configuration().services(0).has_access());
  change("{instance: standard, deny: [10.0.0.0/8]}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(get().configuration().settings().access().deny(), testing::ElementsAre("10.0.0.0/8"));
}

}  // namespace
}  // namespace nezu::api
