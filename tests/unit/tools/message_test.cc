// From words to messages: assignments, files, parts of a stream, methods by request, JSON lines.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <set>

#include "nezu/v1/change.pb.h"
#include "nezu/v1/flows.pb.h"
#include "nezu/v1/state.pb.h"
#include "nezu/v1/system.pb.h"
#include "tools/nezu/assignments.h"
#include "tools/nezu/client.h"
#include "tools/nezu/file.h"
#include "tools/nezu/parts.h"
#include "tools/nezu/session.h"

namespace nezu::cli {
namespace {

TEST(Assignments, set_fields_by_path_and_name_them_for_the_mask) {
  v1::VirtualService service;
  const auto paths = assign({"address=203.0.113.10", "port=80", "mode=fullnat", "enabled=false",
                             "timeouts.udp_s=10", "description=it's: a # test, \"really\""},
                            service);
  EXPECT_EQ(service.address(), "203.0.113.10");
  EXPECT_EQ(service.port(), 80u);
  EXPECT_EQ(service.mode(), v1::MODE_FULLNAT);
  EXPECT_TRUE(service.has_enabled() && !service.enabled());
  EXPECT_EQ(service.timeouts().udp_s(), 10u);
  EXPECT_EQ(service.description(), "it's: a # test, \"really\"");
  EXPECT_EQ(paths, (std::vector<std::string>{"address", "port", "mode", "enabled", "timeouts.udp_s",
                                             "description"}));
}

TEST(Assignments, lists_and_whole_messages) {
  v1::SnatSet snat;
  assign({"addresses=192.0.2.1,2001:db8::/124"}, snat);
  ASSERT_EQ(snat.addresses_size(), 2);
  EXPECT_EQ(snat.addresses(1), "2001:db8::/124");
  v1::Pool pool;
  assign({"check={http: {path: /health}, interval_ms: 500}", "check.fall=3"}, pool);
  EXPECT_EQ(pool.check().http().path(), "/health");
  EXPECT_EQ(pool.check().interval_ms(), 500u);
  EXPECT_EQ(pool.check().fall(), 3u);
}

TEST(Assignments, nothing_behind_the_sign_is_an_empty_list_or_text) {
  v1::VirtualService service;
  const auto paths =
      assign({"sources=", "interfaces=", "description=", "access.allow=", "access.deny=10.0.0.0/8"},
             service);
  EXPECT_EQ(paths.size(), 5u) << "what is in the mask is cleared";
  EXPECT_EQ(service.sources_size() + service.interfaces_size(), 0);
  EXPECT_EQ(service.access().allow_size(), 0);
  EXPECT_EQ(service.access().deny_size(), 1);
  EXPECT_EQ(service.description(), "");
  v1::SnatSet snat;
  assign({"addresses="}, snat);
  EXPECT_EQ(snat.addresses_size(), 0);
  v1::Pool pool;
  assign({"servers="}, pool);
  EXPECT_EQ(pool.servers_size(), 0);
}

TEST(Assignments, that_cannot_be_understood) {
  v1::VirtualService service;
  for (const char* bad : {"port", "=80", "prt=80", "port=many", "mode=magic", "port.x=1"}) {
    EXPECT_THROW(assign({bad}, service), Failure) << bad;
  }
}

TEST(File, every_problem_comes_with_its_path) {
  v1::Configuration configuration;
  try {
    parse_into("services:\n  - name: shop\n    prt: 80\n    mode: magic\n", "shop.yaml",
               configuration);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.exit(), Exit::usage);
    ASSERT_EQ(failure.details().size(), 2u);
    EXPECT_TRUE(failure.details()[0].starts_with("services[\"shop\"].prt"));
  }
}

TEST(Problems, tell_the_value_where_the_sentence_does_not) {
  v1::Problem problem;
  problem.set_field("services[\"shop\"].port");
  problem.set_value("70000");
  problem.set_description("must be from 1 to 65535");
  EXPECT_EQ(problem_text(problem),
            "services[\"shop\"].port: must be from 1 to 65535 (it is \"70000\")");
  problem.set_description("70000 is above 65535");
  EXPECT_EQ(problem_text(problem), "services[\"shop\"].port: 70000 is above 65535");
}

TEST(Parts, hold_everything_once_and_stay_small) {
  v1::Configuration whole;
  whole.mutable_settings()->set_embryonic_percent(7);
  for (int i = 0; i < 1000; ++i) {
    whole.add_services()->set_name("service-" + std::to_string(i));
    whole.add_pools()->set_name("pool-" + std::to_string(i));
  }
  v1::ChangeOptions options;
  options.set_comment("large");
  const auto parts = parts_of(whole, options, 4096);
  EXPECT_GT(parts.size(), 5u);
  v1::Configuration joined;
  for (const auto& part : parts) {
    EXPECT_LT(part.ByteSizeLong(), 6000u);
    joined.MergeFrom(part.part());
  }
  EXPECT_EQ(parts.front().options().comment(), "large");
  EXPECT_FALSE(parts.back().has_options());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(whole, joined));
}

TEST(Methods, every_rpc_has_a_request_of_its_own) {
  std::set<std::string> requests;
  for (const auto* file :
       {v1::ApplyRequest::descriptor()->file(), v1::WatchRequest::descriptor()->file(),
        v1::ListFlowsRequest::descriptor()->file(), v1::GetSystemRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) {
        const auto* method = service->method(j);
        EXPECT_TRUE(requests.insert(method->input_type()->full_name()).second)
            << method->full_name();
        EXPECT_EQ(method_of(*method->input_type()),
                  "/" + service->full_name() + "/" + method->name());
      }
    }
  }
  EXPECT_GT(requests.size(), 30u);
  EXPECT_THROW(method_of(*v1::Flow::descriptor()), Failure);
}

TEST(JsonLine, is_one_line_and_keeps_blanks_in_texts) {
  v1::Pool pool;
  pool.set_name("a");
  pool.set_description("two  blanks");
  pool.add_servers()->set_address("10.0.0.1");
  const std::string line = json_line(pool);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("two  blanks"), std::string::npos);
  EXPECT_NE(line.find("\"servers\": [{"), std::string::npos) << line;
}

}  // namespace
}  // namespace nezu::cli
