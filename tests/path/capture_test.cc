// Captures around the path: what is shown, as which bytes, once each; and what bounds them.
#include <gtest/gtest.h>

#include <array>

#include "controlplane/compile/capture_filter.h"
#include "tests/path/frames.h"
#include "tests/path/spaces.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using tables::CapturePoint;

constexpr uint32_t kBefore = 1, kAfter = 2, kDrops = 4, kAll = kBefore | kAfter | kDrops;
constexpr uint64_t kLease = 2 * net::kNanosecondsPerSecond;

struct Shown {
  tables::CapturedHead head;
  Frame frame;
};

/// The control plane's part.
class Capture {
 public:
  explicit Capture(Lab& lab, std::string_view filter = "", uint32_t points = kAll) : lab_(lab) {
    const compile::CompiledFilter compiled = compile::compile_filter(filter, {});
    EXPECT_FALSE(compiled.fault) << compiled.fault->text;
    order.program = compiled.program;
    order.points = points;
    order.snap = tables::kMostSnap;
    order.rate = order.looks = 1'000'000;
    begin();
  }
  /// Again, with what was changed in `order`.
  void begin() {
    static uint64_t last = 0;
    lease().give(number_ = ++last, order, lab_.now().nanoseconds + kLease);
  }
  tables::CaptureLease& lease() { return lab_.world().region().header().capture; }

  /// What workers have copied since the last call, by worker.
  std::vector<Shown> taken() {
    std::vector<Shown> all;
    std::array<uint8_t, tables::kMostSnap> bytes;
    for (uint16_t worker = 0; worker < lab_.workers(); ++worker) {
      tables::CapturedHead head;
      while (lab_.world().region().captures_of(worker).pop(head, bytes)) {
        EXPECT_EQ(head.number, number_);
        EXPECT_EQ(head.worker, worker);
        all.push_back({head, Bytes(bytes.begin(), bytes.begin() + head.captured)});
      }
    }
    return all;
  }

  tables::CaptureOrder order;

 private:
  Lab& lab_;
  uint64_t number_ = 0;
};

size_t count(const std::vector<Shown>& all, CapturePoint point) {
  return static_cast<size_t>(
      std::ranges::count_if(all, [point](const Shown& one) { return one.head.point == point; }));
}

Eth from_client() { return eth().from("02:00:00:00:00:fe").to("02:00:00:00:00:f0"); }
constexpr std::string_view kClient = "198.51.100.7", kVip = "203.0.113.10";

Frame syn(uint16_t port = 40000) {
  return from_client() / ipv4(kClient, kVip) / tcp(port, 80).syn().seq(7);
}

TEST(Capture, NobodyLooksWithoutALease) {
  Lab lab(1);
  lab.world().put(web());
  lab.send(syn());
  EXPECT_EQ(lab.count(&tables::WorkerLine::captured), 0u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::capture_not_looked_at), 0u);
}

TEST(Capture, BeforeIsAsItCameAndAfterIsAsItLeaves) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(1);
    lab.world().put(web(mode));
    Capture capture(lab);
    const Fate fate = lab.send(syn());
    ASSERT_EQ(fate.verdict, Verdict::forward);
    const std::vector<Shown> shown = capture.taken();
    ASSERT_EQ(shown.size(), 2u);
    EXPECT_EQ(shown[0].head.point, CapturePoint::before);
    EXPECT_EQ(shown[0].head.port, 0);
    EXPECT_EQ(shown[0].frame, syn());
    EXPECT_EQ(shown[1].head.point, CapturePoint::after);
    EXPECT_EQ(shown[1].head.port, 1);
    EXPECT_EQ(shown[1].frame, fate.frame);
    for (const Shown& one : shown) {
      EXPECT_EQ(one.head.verdict, Verdict::forward);
      EXPECT_EQ(one.head.when, lab.now().nanoseconds);
      EXPECT_EQ(one.head.length, one.head.captured);
    }
    EXPECT_EQ(lab.count(&tables::WorkerLine::captured), 2u);
  }
}

TEST(Capture, AFilterFollowsAConversationThroughItsTranslation) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    world::ServiceSpec spec = web(tables::Mode::fullnat);
    spec.servers = {{"10.0.1.5", 8080}};
    lab.world().put(spec);
    // Neither side shows both, and the answer from the server does not show the client.
    Capture capture(lab, "host 198.18.0.7 and host 10.0.1.5 and port 80 and port 8080");
    Conversation ours(lab, client(7), 40000), other(lab, client(8), 40000);
    ASSERT_TRUE(ours.open() && other.open());
    const std::vector<Shown> shown = capture.taken();
    EXPECT_EQ(count(shown, CapturePoint::before), 3u);
    EXPECT_EQ(count(shown, CapturePoint::after), 3u);
    EXPECT_EQ(shown.size(), 6u);
    // What has it on neither side.
    Capture rest(lab, "not host 198.18.0.7", kBefore);
    ASSERT_TRUE(ours.works() && other.works());
    EXPECT_EQ(rest.taken().size(), 2u);
  }
}

TEST(Capture, DropsAreShownAsTheyCameWithTheirReason) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "dropped", kAfter | kDrops);
  const Frame stray = from_client() / ipv4(kClient, kVip) / tcp(40000, 80).seq(9).ack(9);
  const Frame nobodys = from_client() / ipv4(kClient, kVip) / tcp(40000, 81).syn();
  const Frame broken = from_client() / ipv4(kClient, kVip).checksum(1) / tcp(40000, 80).syn();
  const Frame cut = syn().cut(40);
  ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  const std::vector<std::pair<Frame, Reason>> expected = {{stray, Reason::tcp_without_flow},
                                                          {nobodys, Reason::service_unknown},
                                                          {broken, Reason::ipv4_checksum},
                                                          {cut, Reason::ipv4_truncated}};
  lab.advance(200);  // the flow of `syn` is over
  capture.begin();
  for (const auto& [frame, reason] : expected) ASSERT_EQ(lab.send(frame).reason, reason);
  std::vector<Shown> shown = capture.taken();
  // One of them was refused by an answer, which leaves.
  ASSERT_EQ(count(shown, CapturePoint::after), 1u);
  std::erase_if(shown, [](const Shown& one) { return one.head.point == CapturePoint::after; });
  ASSERT_EQ(shown.size(), expected.size());
  for (size_t i = 0; i < shown.size(); ++i) {
    EXPECT_EQ(shown[i].head.point, CapturePoint::drop);
    EXPECT_EQ(shown[i].head.reason, expected[i].second);
    EXPECT_EQ(shown[i].frame, expected[i].first);
  }
}

TEST(Capture, WithBeforeADropIsShownOnce) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "reason service_unknown", kBefore | kDrops);
  lab.send({syn(), from_client() / ipv4(kClient, kVip) / tcp(40000, 81).syn(), syn(40001)});
  const std::vector<Shown> shown = capture.taken();
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].head.point, CapturePoint::before);
  EXPECT_EQ(shown[0].head.verdict, Verdict::reply) << "it is refused";
  EXPECT_EQ(shown[0].head.reason, Reason::service_unknown);
}

TEST(Capture, MalformedPacketsAreFoundByWhatTheyStillSay) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "host 198.51.100.7 and tcp", kDrops);
  lab.send(from_client() / ipv4(kClient, kVip).checksum(1) / tcp(40000, 80).syn());
  lab.send(from_client() / ipv4("198.51.100.8", kVip).checksum(1) / tcp(40000, 80).syn());
  lab.send(syn().cut(30));  // not even an IP header
  EXPECT_EQ(capture.taken().size(), 1u);
}

TEST(Capture, WhatIsHandedOverIsShownOnceByWhoEndsItsWay) {
  Lab lab(4, {4096, 64});
  lab.world().put(web(tables::Mode::fullnat));
  Capture capture(lab);
  constexpr uint32_t kFlows = 40;
  for (uint32_t n = 0; n < kFlows; ++n) {
    Conversation one(lab, client(n), static_cast<uint16_t>(20000 + n));
    ASSERT_TRUE(one.open());
  }
  EXPECT_GT(lab.count(&tables::WorkerLine::handed_over), kFlows);
  const std::vector<Shown> shown = capture.taken();
  EXPECT_EQ(count(shown, CapturePoint::before), 3 * kFlows);
  EXPECT_EQ(count(shown, CapturePoint::after), 3 * kFlows);
  EXPECT_EQ(shown.size(), 6 * kFlows);
}

std::vector<Frame> fragments(uint16_t id) {
  const Frame whole = eth() / ipv4(kClient, kVip) / udp(40000, 80) / fill(2000);
  const Bytes rest(whole.bytes().begin() + 34, whole.bytes().end());
  const auto middle = rest.begin() + 1440;
  return {from_client() / ipv4(kClient, kVip).id(id).fragment(0, true) /
              raw(Bytes(rest.begin(), middle), 17),
          from_client() / ipv4(kClient, kVip).id(id).fragment(1440, false) /
              raw(Bytes(middle, rest.end()), 17)};
}

TEST(Capture, FragmentsAreFoundByThePortsOfTheirTrain) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    world::ServiceSpec spec = web();
    spec.protocol = net::Protocol::udp;
    lab.world().put(spec);
    Capture capture(lab, "udp dst port 80");
    const std::vector<Frame> parts = fragments(7);
    lab.send(parts[1], 0);  // waits for the first
    lab.send(parts[0], workers - 1u);
    const std::vector<Shown> shown = capture.taken();
    EXPECT_EQ(count(shown, CapturePoint::before), 2u);
    EXPECT_EQ(count(shown, CapturePoint::after), 2u);
    EXPECT_EQ(shown.size(), 4u);
  }
}

TEST(Capture, AFragmentThatWaitedInVainIsADrop) {
  Lab lab(1);
  Capture capture(lab, "reason fragment_timeout", kDrops);
  const Frame late = fragments(7)[1];
  ASSERT_EQ(lab.send(late).verdict, Verdict::kept);
  for (int i = 0; i < 60 && lab.count(Reason::fragment_timeout) == 0; ++i) {
    lab.advance(1);
    capture.lease().renew(lab.now().nanoseconds + kLease);
  }
  const std::vector<Shown> shown = capture.taken();
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].head.reason, Reason::fragment_timeout);
  EXPECT_EQ(shown[0].frame, late);
}

TEST(Capture, WhatLeavesInPiecesIsShownWholeAndAsThem) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.protocol = net::Protocol::udp;
  lab.world().put(spec);
  Capture capture(lab, "host 198.51.100.7");
  const Frame sent = from_client() / ipv4(kClient, kVip).id(77) / udp(40000, 80) / fill(3000);
  ASSERT_EQ(lab.send(sent).verdict, Verdict::split);
  const std::vector<Fate> pieces = lab.pieces();
  const std::vector<Shown> shown = capture.taken();
  ASSERT_EQ(shown.size(), 1 + pieces.size());
  EXPECT_EQ(shown[0].head.verdict, Verdict::split);
  EXPECT_EQ(shown[0].frame, sent);
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(shown[i + 1].head.point, CapturePoint::after);
    EXPECT_EQ(shown[i + 1].frame, pieces[i].frame);
  }
}

TEST(Capture, OurOwnFramesOnlyLeave) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.reset_when_idle = true;
  spec.timeouts[static_cast<size_t>(tables::Timeout::established)] = 10 * net::kTicksPerSecond;
  lab.world().put(spec);
  Conversation conversation(lab, client(7), 40000);
  ASSERT_TRUE(conversation.open() && conversation.works());
  Capture capture(lab, "rst");
  for (int i = 0; i < 20; ++i) {
    lab.advance(1);
    capture.lease().renew(lab.now().nanoseconds + kLease);
  }
  ASSERT_EQ(lab.said().size(), 2u);
  const std::vector<Shown> shown = capture.taken();
  EXPECT_EQ(count(shown, CapturePoint::after), 2u);
  EXPECT_EQ(shown.size(), 2u);
}

TEST(Capture, AnswersOfOurOwnLeaveByTheWayTheyCame) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "icmp or arp");
  lab.send(from_client() / ipv4(kClient, kVip) / echo_request(1, 1));
  const std::vector<Shown> shown = capture.taken();
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[1].head.point, CapturePoint::after);
  EXPECT_EQ(shown[1].head.verdict, Verdict::reply);
  EXPECT_EQ(shown[1].head.port, 0);
}

TEST(Capture, AnIcmpErrorIsFoundByWhatItQuotes) {
  Lab lab(1);
  lab.world().put(web());
  ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  Capture capture(lab, "port 40000 and src host 192.0.2.99", kBefore);
  const Frame quoted = eth() / ipv4(kVip, kClient) / tcp(80, 40000).seq(9).ack(8) / "more";
  const Bytes inner(quoted.bytes().begin() + 14, quoted.bytes().end());
  lab.send(from_client() / ipv4("192.0.2.99", kVip) / fragmentation_needed(1400) / raw(inner, 4));
  EXPECT_EQ(capture.taken().size(), 1u);
}

TEST(Capture, InstancesAndVlansAreToldApart) {
  Lab lab(1);
  add_instances(lab);
  const Frame plain = from_client() / ipv4(kClient, kVip) / tcp(40000, 80).syn();
  for (const auto& [filter, expected] :
       std::initializer_list<std::pair<std::string, size_t>>{{"", 3},
                                                             {"vlan 0", 1},
                                                             {"vlan 10", 1},
                                                             {"instance 0", 1},
                                                             {"not instance 0", 2},
                                                             {"host 198.51.100.7", 3}}) {
    Capture capture(lab, filter, kBefore);
    for (const Space& space : kSpaces) lab.send(tagged(plain, space.front));
    EXPECT_EQ(capture.taken().size(), expected) << filter;
    capture.lease().end();
  }
}

TEST(Capture, NoMoreIsCopiedThanTheRateAllows) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "", kBefore);
  capture.order.rate = 10;
  capture.begin();
  ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  for (int i = 1; i < 100; ++i) ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  const uint64_t at_once = capture.taken().size();
  EXPECT_EQ(at_once, 64u) << "a burst's worth";
  EXPECT_EQ(lab.count(&tables::WorkerLine::captured), at_once);
  EXPECT_EQ(lab.count(&tables::WorkerLine::capture_passed_over), 100 - at_once);
  lab.advance(0.55);  // five more, whatever part of a token each turn brings
  for (int i = 0; i < 100; ++i) lab.send(syn());
  EXPECT_EQ(capture.taken().size(), 5u);
}

TEST(Capture, NoMoreIsLookedAtThanMayBe) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "", kBefore);
  capture.order.looks = 10;
  capture.begin();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  EXPECT_EQ(capture.taken().size(), 64u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::capture_not_looked_at), 36u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::capture_passed_over), 0u);
}

TEST(Capture, AFullRingOnlyCounts) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "", kBefore);
  const size_t room = tables::CaptureRing::kBytes / (64 + 64);  // a head, and a SYN with padding
  for (size_t i = 0; i < room + 10; ++i) ASSERT_EQ(lab.send(syn()).verdict, Verdict::forward);
  EXPECT_EQ(lab.count(&tables::WorkerLine::capture_passed_over), 10u);
  const std::vector<Shown> shown = capture.taken();
  EXPECT_EQ(shown.size(), room);
  EXPECT_EQ(shown.back().frame, syn());
  lab.send(syn());
  EXPECT_EQ(capture.taken().size(), 1u);
}

TEST(Capture, CopiesAreCutOffAtTheSnapLength) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "", kBefore | kAfter);
  capture.order.snap = 34;
  capture.begin();
  lab.send(syn());
  for (const Shown& one : capture.taken()) {
    EXPECT_EQ(one.head.captured, 34u);
    EXPECT_EQ(one.head.length, 54u);
  }
  EXPECT_EQ(lab.count(&tables::WorkerLine::captured), 2u);
}

TEST(Capture, ALeaseThatNobodyRenewsEndsByItself) {
  Lab lab(2);
  lab.world().put(web());
  Capture capture(lab, "", kBefore);
  const auto shown = [&] {
    for (uint16_t worker = 0; worker < 2; ++worker) lab.send(syn(), worker);
    return capture.taken().size();
  };
  EXPECT_EQ(shown(), 2u);
  lab.advance(1.5);
  capture.lease().renew(lab.now().nanoseconds + kLease);
  lab.advance(1.5);
  EXPECT_EQ(shown(), 2u) << "renewed";
  lab.advance(2.5);
  EXPECT_EQ(shown(), 0u) << "over";
  capture.lease().renew(lab.now().nanoseconds + kLease);
  EXPECT_EQ(shown(), 0u) << "it does not come back";
  capture.begin();
  EXPECT_EQ(shown(), 2u) << "another one";
  capture.lease().end();
  EXPECT_EQ(shown(), 0u);
}

TEST(Capture, AnotherOrderTakesOverAtOnce) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "udp", kBefore);
  lab.send(syn());
  EXPECT_TRUE(capture.taken().empty());
  capture.order.program = compile::compile_filter("tcp", {}).program;
  capture.begin();
  lab.send(syn());
  EXPECT_EQ(capture.taken().size(), 1u);
}

TEST(Capture, AnUnsoundOrderIsNotCarriedOut) {
  Lab lab(1);
  lab.world().put(web());
  Capture capture(lab, "tcp", kBefore);
  capture.order.program.steps[0].op = tables::CaptureOp::both;  // of nothing
  capture.begin();
  EXPECT_EQ(lab.send(syn()).verdict, Verdict::forward);
  EXPECT_TRUE(capture.taken().empty());
  capture.order.program.count = 1u << 31;
  capture.begin();
  EXPECT_EQ(lab.send(syn()).verdict, Verdict::forward);
  EXPECT_TRUE(capture.taken().empty());
}

}  // namespace
}  // namespace nezu::lab
