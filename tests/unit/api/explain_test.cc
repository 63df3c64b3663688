// Explanations through a real channel: what is asked of the data plane, what is refused, and the
// words; the data plane is played.
#include "fixture.h"
#include "nezu/v1/explain.grpc.pb.h"

namespace nezu::api {
namespace {

using tables::ExplainStage;
using testing::HasSubstr;

class ExplainCalls : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    explains = v1::ExplainService::NewStub(channel);
    apply(from<v1::Configuration>(R"(
      services: [{ name: shop, address: 192.0.2.10, port: 80, pool: web }]
      pools: [{ name: web, scheduler: wlc, servers: [{ address: 10.0.0.5, port: 8080 }] }])"));
    publish::PortReading port;
    port.number = 3;
    port.name = "front";
    port.mac = {{2, 0, 0, 0, 0, 9}};
    publisher.reading.ports.push_back(port);
    request.set_port("front");
    request.set_frame(std::string(60, '\0'));
    told().pass_count = 1;
    told().generation = 5;
  }
  tables::Explanation& told() { return publisher.explanation.explanation; }
  tables::ExplainedPass& pass(size_t number = 0) { return told().passes[number]; }
  grpc::Status explain() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    response.Clear();
    return explains->Explain(&context, request, &response);
  }
  std::string words() const {
    std::string all;
    for (const v1::ExplainStep& step : response.steps()) {
      all += v1::ExplainStage_Name(step.stage()).substr(sizeof("EXPLAIN_STAGE")) + " " +
             step.text() + "\n";
    }
    return all;
  }
  /// A new flow of the service that leaves.
  void opens() {
    pass().decided = ExplainStage::dispatch;
    pass().verdict = net::Verdict::forward;
    told().packet.is_parsed = 1;
    told().packet.shape = net::Shape::transport;
    told().service = publisher.reading.services.at(0).id;
    told().origin = tables::FlowOrigin::opened;
    told().is_exact = 1;
    told().flow.server_id = publisher.reading.servers.at(0).id;
    told().flow.service = told().service;
    told().way.exists = 1;
    told().way.port = 3;
    told().way.mtu = 1500;
    told().egress = 3;
    told().length = 20;
  }

  std::unique_ptr<v1::ExplainService::Stub> explains;
  v1::ExplainRequest request;
  v1::ExplainResponse response;
};

TEST_F(ExplainCalls, TheFrameGoesToThePortThatWasNamed) {
  ASSERT_TRUE(explain().ok());
  EXPECT_EQ(publisher.explained_port, 3u);
  ASSERT_EQ(publisher.explained.size(), 60u);
  EXPECT_EQ(publisher.explained[5], 9u) << "zeros stand for the port's own MAC";
  std::string frame(60, '\1');
  request.set_frame(frame);
  ASSERT_TRUE(explain().ok());
  EXPECT_EQ(publisher.explained[5], 1u);
}

TEST_F(ExplainCalls, MistakesAreToldByField) {
  request.set_port("back");
  status = explain();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("front"));
  request.set_port("front");
  for (const size_t length : {0, 13, 2049}) {
    request.set_frame(std::string(length, 'x'));
    EXPECT_EQ(explain().error_code(), StatusCode::INVALID_ARGUMENT) << length;
  }
  request.set_frame(std::string(60, 'x'));
  request.set_timeout_ms(99);
  EXPECT_THAT(explain().error_message(), HasSubstr("timeout_ms"));
}

TEST_F(ExplainCalls, WhatTheDataPlaneCannotSay) {
  publisher.explanation.answer = publish::Answer::unavailable;
  EXPECT_EQ(explain().error_code(), StatusCode::UNAVAILABLE);
  publisher.explanation.answer = publish::Answer::late;
  EXPECT_EQ(explain().error_code(), StatusCode::DEADLINE_EXCEEDED);
  publisher.explanation.answer = publish::Answer::refused;
  EXPECT_EQ(explain().error_code(), StatusCode::UNIMPLEMENTED);
  publisher.explanation.answer = publish::Answer::complete;
  told().fault = tables::ExplainFault::worker_silent;
  told().silent = 4;
  EXPECT_THAT(explain().error_message(), HasSubstr("Worker 4"));
  told().fault = tables::ExplainFault::port_unknown;
  EXPECT_EQ(explain().error_code(), StatusCode::FAILED_PRECONDITION);
  publisher.is_attached = false;
  publisher.reading.ports.clear();
  EXPECT_EQ(explain().error_code(), StatusCode::UNAVAILABLE) << "nobody knows ports then";
}

TEST_F(ExplainCalls, ANewFlowSaysWhoChoseWhom) {
  opens();
  ASSERT_TRUE(explain().ok());
  EXPECT_THAT(words(), HasSubstr("RECEIVE front: "));
  EXPECT_THAT(words(), HasSubstr("FIND no flow of worker 0\n"));
  EXPECT_THAT(
      words(),
      HasSubstr("ADMIT service shop: pool web has, by wlc, 10.0.0.5:8080 for a new flow\n"));
  EXPECT_THAT(words(), HasSubstr("CHOOSE_WAY by front, MTU 1500\n"));
  EXPECT_THAT(words(), HasSubstr("DISPATCH leaves by front\n"));
  EXPECT_EQ(response.fate(), v1::CAPTURE_FATE_FORWARDED);
  EXPECT_EQ(response.service(), "shop");
  EXPECT_EQ(response.origin(), v1::FLOW_ORIGIN_OPENED);
  EXPECT_EQ(response.egress(), "front");
  EXPECT_EQ(response.frame(), "0000000000000000000000000000000000000000");
  EXPECT_EQ(response.flow().service(), "shop");
  EXPECT_EQ(response.generation(), 5u);
  EXPECT_TRUE(response.exact());
}

TEST_F(ExplainCalls, WhyItIsNotCertain) {
  opens();
  told().is_exact = 0;
  told().is_crowded = 1;
  told().is_persistent = 1;
  ASSERT_TRUE(explain().ok());
  EXPECT_THAT(words(), HasSubstr("may be another"));
  EXPECT_THAT(words(), HasSubstr("has no room"));
  EXPECT_THAT(words(), HasSubstr("is on no server yet"));
  EXPECT_FALSE(response.exact());
  told().kept = told().flow.server_id;
  ASSERT_TRUE(explain().ok());
  EXPECT_THAT(words(), HasSubstr("whose client stays on 10.0.0.5:8080"));
}

TEST_F(ExplainCalls, ADropSaysTheReasonAndWhere) {
  pass().decided = ExplainStage::admit;
  pass().verdict = net::Verdict::drop;
  pass().reason = net::Reason::access_denied;
  pass().worker = 2;
  told().service = publisher.reading.services.at(0).id;
  ASSERT_TRUE(explain().ok());
  EXPECT_THAT(words(), HasSubstr("ADMIT service shop\n"));
  EXPECT_THAT(words(), HasSubstr("ADMIT dropped, access_denied: "));
  EXPECT_EQ(response.fate(), v1::CAPTURE_FATE_DROPPED);
  EXPECT_EQ(response.reason(), "access_denied");
  EXPECT_EQ(response.decided(), v1::EXPLAIN_STAGE_ADMIT);
  EXPECT_EQ(response.worker(), 2u);
  EXPECT_TRUE(response.frame().empty());
  EXPECT_FALSE(response.has_flow());
}

TEST_F(ExplainCalls, WorkersAndPieces) {
  opens();
  told().pass_count = 3;
  told().passes[2] = pass();
  told().passes[2].worker = 1;
  told().passes[2].is_piece = 1;
  told().pieces = 2;
  pass(0).verdict = net::Verdict::hand_over;
  pass(0).decided = ExplainStage::admit;
  pass(0).owner = 1;
  pass(1).worker = 1;
  pass(1).verdict = net::Verdict::split;
  pass(1).decided = ExplainStage::choose_way;
  pass(1).owner = 1480;
  ASSERT_TRUE(explain().ok());
  EXPECT_THAT(words(), HasSubstr("worker 0 gives it to worker 1, whose its flow is"));
  EXPECT_THAT(words(), HasSubstr("2 pieces of at most 1480 bytes"));
  EXPECT_EQ(response.fate(), v1::CAPTURE_FATE_SPLIT);
  EXPECT_EQ(response.pieces(), 2u);
}

/// Every number that is sound has words.
TEST_F(ExplainCalls, AllVerdictsAndReasons) {
  opens();
  for (int verdict = 0; verdict <= static_cast<int>(net::Verdict::split); ++verdict) {
    for (size_t reason = 0; reason < net::kReasonCount; reason += 7) {
      pass().verdict = static_cast<net::Verdict>(verdict);
      pass().reason = static_cast<net::Reason>(reason);
      ASSERT_TRUE(explain().ok());
      EXPECT_GT(response.steps_size(), 1);
      for (const v1::ExplainStep& step : response.steps()) EXPECT_FALSE(step.text().empty());
    }
  }
}

}  // namespace
}  // namespace nezu::api
