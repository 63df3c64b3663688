// Captures through a real channel: what is asked of the data plane, what is refused, how they end;
// the data plane is played.
#include "fixture.h"
#include "nezu/v1/capture.grpc.pb.h"

namespace nezu::api {
namespace {

using tables::CapturePoint;
using testing::HasSubstr;

class CaptureCalls : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    captures = v1::CaptureService::NewStub(channel);
    apply(from<v1::Configuration>(R"(
      services: [{ name: shop, address: 192.0.2.10, port: 80, pool: web }]
      pools: [{ name: web, servers: [{ address: 10.0.0.5, port: 8080 }] }]
      instances: [{ name: red, number: 7, links: [front.10] }])"));
    publish::PortReading port;
    port.number = 3;
    port.name = "front";
    publisher.reading.ports.push_back(port);
  }
  void has_captured(uint64_t when, CapturePoint point, net::Verdict verdict, net::Reason reason) {
    tables::CapturedHead head;
    head.when = when;
    head.point = point;
    head.verdict = verdict;
    head.reason = reason;
    head.port = 3;
    head.worker = 1;
    head.length = 1514;
    const std::lock_guard lock(publisher.mutex);
    publisher.captured.push_back({head, {1, 2, 3}});
  }
  /// To its end.
  std::vector<v1::CaptureResponse> capture(const std::string& text) {
    return capture(from<v1::CaptureRequest>(text));
  }
  std::vector<v1::CaptureResponse> capture(const v1::CaptureRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    auto reader = captures->Capture(&context, request);
    std::vector<v1::CaptureResponse> all;
    for (v1::CaptureResponse response; reader->Read(&response);) all.push_back(response);
    status = reader->Finish();
    return all;
  }
  std::string refused(const std::string& text) {
    EXPECT_TRUE(capture(text).empty());
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << text;
    EXPECT_FALSE(publisher.is_capturing);
    return status.error_message();
  }

  std::unique_ptr<v1::CaptureService::Stub> captures;
};

TEST_F(CaptureCalls, PacketsComeWithWhatBecameOfThem) {
  has_captured(1'700'000'000'123'456'789, CapturePoint::before, net::Verdict::drop,
               net::Reason::no_server);
  has_captured(1'700'000'000'123'456'790, CapturePoint::after, net::Verdict::twin,
               net::Reason::none);
  const auto all = capture("{count: 2}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_GE(all.size(), 3u);
  ASSERT_EQ(all.front().ports_size(), 1);
  EXPECT_EQ(all.front().ports(0).name(), "front");
  EXPECT_EQ(all.front().ports(0).number(), 3u);
  EXPECT_TRUE(all.back().complete());
  EXPECT_EQ(all.back().captured(), 2u);
  EXPECT_EQ(all.back().passed_over(), 7u);
  EXPECT_EQ(all.back().not_looked_at(), 9u);
  std::vector<v1::CapturedPacket> packets;
  for (const auto& one : all) {
    packets.insert(packets.end(), one.packets().begin(), one.packets().end());
  }
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].time().seconds(), 1'700'000'000);
  EXPECT_EQ(packets[0].time().nanos(), 123'456'789);
  EXPECT_EQ(packets[0].point(), v1::CAPTURE_POINT_BEFORE);
  EXPECT_EQ(packets[0].fate(), v1::CAPTURE_FATE_DROPPED);
  EXPECT_EQ(packets[0].reason(), "no_server");
  EXPECT_EQ(packets[0].port(), 3u);
  EXPECT_EQ(packets[0].worker(), 1u);
  EXPECT_EQ(packets[0].length(), 1514u);
  EXPECT_EQ(packets[0].bytes(), "\1\2\3");
  EXPECT_EQ(packets[1].fate(), v1::CAPTURE_FATE_TO_KERNEL);
  EXPECT_EQ(packets[1].reason(), "");
}

TEST_F(CaptureCalls, TheOrderHasItsDefaults) {
  capture("{seconds: 1}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(publisher.last_order.points, static_cast<uint32_t>(CapturePoint::before));
  EXPECT_EQ(publisher.last_order.snap, tables::kMostSnap);
  EXPECT_EQ(publisher.last_order.rate, 10'000u);
  EXPECT_EQ(publisher.last_order.looks, 500'000u);
  EXPECT_EQ(publisher.last_order.program.count, 0u);
  capture("{seconds: 1, points: [drop, after], snap: 64, rate: 5, looks: 6, filter: tcp}");
  EXPECT_EQ(publisher.last_order.points, 6u);
  EXPECT_EQ(publisher.last_order.snap, 64u);
  EXPECT_EQ(publisher.last_order.rate, 5u);
  EXPECT_EQ(publisher.last_order.looks, 6u);
  EXPECT_EQ(publisher.last_order.program.count, 1u);
}

TEST_F(CaptureCalls, NamesAreThoseOfTheConfigurationAndOfThePorts) {
  capture("{seconds: 1, filter: interface front and instance red}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(publisher.last_order.program.steps[0].first, 3u);
  EXPECT_EQ(publisher.last_order.program.steps[1].first, 7u);
  capture("{seconds: 1, filter: service shop}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(publisher.last_order.program.steps[0].address, *net::parse_address("192.0.2.10"));
  EXPECT_EQ(publisher.last_order.program.steps[1].first, 80u);
}

TEST_F(CaptureCalls, MistakesAreToldWithFieldAndColumn) {
  EXPECT_THAT(refused("{filter: tcp and prot 80}"), HasSubstr("Column 9"));
  EXPECT_THAT(refused("{filter: service ship}"), HasSubstr("no such service"));
  EXPECT_THAT(refused("{filter: interface back}"), HasSubstr("filter"));
  EXPECT_THAT(refused("{points: [unspecified]}"), HasSubstr("points"));
  EXPECT_THAT(refused("{snap: 9281}"), HasSubstr("snap"));
  EXPECT_THAT(refused("{rate: 1000001}"), HasSubstr("rate"));
  EXPECT_THAT(refused("{looks: 100000001}"), HasSubstr("looks"));
  EXPECT_THAT(refused("{seconds: 86401}"), HasSubstr("seconds"));
  v1::CaptureRequest unknown;
  unknown.add_points(static_cast<v1::CapturePoint>(17));
  EXPECT_TRUE(capture(unknown).empty());
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(CaptureCalls, WithoutDataPlaneThereIsNone) {
  publisher.is_attached = false;
  capture("{}");
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(CaptureCalls, ThereIsOneAtATimeAndItEndsWithItsClient) {
  grpc::ClientContext context;
  auto reader = captures->Capture(&context, v1::CaptureRequest());
  v1::CaptureResponse response;
  ASSERT_TRUE(reader->Read(&response));
  capture("{}");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  // There is a word at least now and then, so that a client notices its own Ctrl-C.
  ASSERT_TRUE(reader->Read(&response) && reader->Read(&response));
  EXPECT_TRUE(publisher.is_capturing);
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
  for (int i = 0; i < 500 && publisher.is_capturing; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(publisher.is_capturing);
  capture("{seconds: 1}");
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(CaptureCalls, TheServerEndsWhileOneRuns) {
  grpc::ClientContext context;
  auto reader = captures->Capture(&context, v1::CaptureRequest());
  v1::CaptureResponse response;
  ASSERT_TRUE(reader->Read(&response));
  server.reset();
  EXPECT_FALSE(publisher.is_capturing);
  while (reader->Read(&response)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

}  // namespace
}  // namespace nezu::api
