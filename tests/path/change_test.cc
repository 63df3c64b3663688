// Configuration changes, drains, requests and port reuse under flows that live.
#include <gtest/gtest.h>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Verdict;

TEST(Change, FlowsStayWhereTheyAreWhateverIsPushed) {
  Lab lab(2, {4096, 64});
  world::ServiceSpec spec = web();
  lab.world().put(spec);
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 90; ++n) {
    all.emplace_back(lab, client(n), static_cast<uint16_t>(3000 + n));
    ASSERT_TRUE(all.back().open());
  }
  spec.servers = {{"10.0.1.6", 8080, 3}, {"10.0.1.9", 8080}};  // two are gone, one is new
  spec.scheduler = tables::Scheduler::wlc;
  lab.world().put(spec);
  for (Conversation& one : all) EXPECT_TRUE(one.works());
  for (uint32_t n = 200; n < 240; ++n) {
    Conversation fresh(lab, client(n), 4000);
    ASSERT_TRUE(fresh.open());
    const auto server = net::to_string(fresh.server().destination);
    EXPECT_TRUE(server == "10.0.1.6" || server == "10.0.1.9") << server;
  }
  EXPECT_EQ(lab.audit(), "");
}

TEST(Change, RemovedServiceKeepsItsFlows) {
  Lab lab(1);
  const auto service = lab.world().put(web());
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  lab.world().remove(service);
  EXPECT_TRUE(one.works());
  Conversation other(lab, client(2), 3000);
  EXPECT_FALSE(other.open());
}

TEST(Drain, NoNewFlowsAndOldOnesUntilTheDeadline) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  lab.world().put(spec);
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 30; ++n) {
    all.emplace_back(lab, client(n), 3000);
    ASSERT_TRUE(all.back().open());
  }
  spec.servers[0].state = tables::ServerState::draining;
  lab.world().put(spec);
  const auto draining = lab.world().server_id("10.0.1.5", 8080, net::Protocol::tcp);
  lab.world().drain(draining, net::after(lab.now(), 20 * net::kNanosecondsPerSecond));
  for (uint32_t n = 100; n < 130; ++n) {
    Conversation fresh(lab, client(n), 3000);
    ASSERT_TRUE(fresh.open());
    EXPECT_NE(net::to_string(fresh.server().destination), "10.0.1.5");
  }
  lab.advance(15);
  EXPECT_EQ(lab.gauge_of_server(draining), 10u);
  lab.advance(10);
  EXPECT_EQ(lab.gauge_of_server(draining), 0u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_ended), 10u);
  uint32_t working = 0;
  for (Conversation& one : all) working += one.works();
  EXPECT_EQ(working, 20u);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Drain, WhenNobodyIsReadyDrainingServersServe) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.servers = {{"10.0.1.5", 8080, 1, tables::ServerState::failed},
                  {"10.0.1.6", 8080, 1, tables::ServerState::draining}};
  lab.world().put(spec);
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  EXPECT_EQ(net::to_string(one.server().destination), "10.0.1.6");
}

TEST(PortReuse, SynOnADyingFlowIsScheduledAnew) {
  Lab lab(1);
  lab.world().put(web());
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  const net::Address first = one.server().destination;
  one.send(one.tcp_there().fin().seq(101).ack(501));
  one.answer(one.tcp_back().fin().seq(501).ack(102));
  one.send(one.tcp_there().seq(102).ack(502));
  EXPECT_EQ(lab.flows(0).count(false, flow::Stage::closed), 1u);
  Conversation again(lab, client(1), 3000);
  ASSERT_TRUE(again.open());
  EXPECT_NE(again.server().destination, first);  // rr: the next one
  EXPECT_EQ(lab.flow_count(), 1u);
  EXPECT_TRUE(again.works());
  EXPECT_EQ(lab.audit(), "");
}

TEST(PortReuse, SynOnALiveFlowGoesToItsServer) {
  Lab lab(1);
  lab.world().put(web());
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  const Fate syn = one.send(one.tcp_there().syn().seq(9000));
  EXPECT_EQ(ends_of(syn.frame).destination, one.server().destination);
  EXPECT_TRUE(one.works());
}

TEST(Timeouts, EachStateHasItsOwn) {
  Lab lab(1);
  world::ServiceSpec spec = web();
  spec.timeouts[static_cast<size_t>(tables::Timeout::syn_sent)] = 5 * net::kTicksPerSecond;
  spec.timeouts[static_cast<size_t>(tables::Timeout::established)] = 60 * net::kTicksPerSecond;
  lab.world().put(spec);
  Conversation live(lab, client(1), 3000);
  ASSERT_TRUE(live.open());
  lab.send(eth() / ipv4(client(2), "203.0.113.10") / tcp(3000, 80).syn());
  EXPECT_EQ(lab.flow_count(), 2u);
  lab.advance(7);
  EXPECT_EQ(lab.flow_count(), 1u);
  for (int i = 0; i < 5; ++i) {  // used: it stays
    lab.advance(50);
    EXPECT_TRUE(live.works());
  }
  lab.advance(62);
  EXPECT_EQ(lab.flow_count(), 0u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::flows_expired), 2u);
}

TEST(Timeouts, AHalfClosedConnectionDoesNotWaitAsLongAsAnOpenOne) {
  Lab lab(1);
  lab.world().put(web());
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  lab.advance(10);
  one.send(one.tcp_there().fin().seq(101).ack(501));
  lab.advance(118);
  EXPECT_EQ(lab.flow_count(), 1u);
  lab.advance(6);  // 120 s, and what a slot of the wheel is wide
  EXPECT_EQ(lab.flow_count(), 0u);
}

std::vector<tables::Reply> ask(Lab& lab, tables::Request request) {
  std::vector<tables::Reply> replies;
  for (uint16_t worker = 0; worker < lab.workers(); ++worker) {
    path::Desk& desk = lab.path(worker).desk();
    desk.requests.push(request);
    desk.requests.publish();
    for (int turn = 0; turn < 1000; ++turn) {
      lab.path(worker).housekeep(lab.world().view(), lab.world().routes(), lab.now());
      tables::Reply reply;
      bool done = false;
      while (desk.replies.pop(reply)) {
        replies.push_back(reply);
        done |= reply.kind == tables::ReplyKind::done;
      }
      if (done) break;
    }
  }
  return replies;
}

TEST(Requests, ListAndEndByFilter) {
  Lab lab(2, {4096, 64});
  lab.world().put(web(tables::Mode::fullnat));
  std::vector<Conversation> all;
  for (uint32_t n = 0; n < 60; ++n) {
    all.emplace_back(lab, client(n), 3000);
    ASSERT_TRUE(all.back().open());
  }
  tables::Request request;
  request.sequence = 5;
  EXPECT_EQ(ask(lab, request).size(), 62u);
  request.filter.client = world::address(client(7));
  const auto found = ask(lab, request);
  ASSERT_EQ(found.size(), 3u);
  const auto& flow = found[0].kind == tables::ReplyKind::flow ? found[0].flow : found[1].flow;
  EXPECT_EQ(flow.client_port, 3000);
  EXPECT_EQ(flow.state, tables::Timeout::established);
  EXPECT_EQ(flow.snat, all[7].server().source);
  EXPECT_EQ(flow.snat_port, all[7].server().source_port);
  request.kind = tables::RequestKind::end_flows;
  ask(lab, request);
  EXPECT_EQ(lab.flow_count(), 59u);
  EXPECT_FALSE(all[7].works());
  EXPECT_TRUE(all[8].works());
  EXPECT_EQ(lab.audit(), "");
}

TEST(Neighbours, UnknownHoldsFailedDrops) {
  Lab lab(1);
  lab.world().put(web());
  Conversation one(lab, client(1), 3000);
  ASSERT_TRUE(one.open());
  const uint32_t hop =
      lab.world().routes().find(net::Instance::standard, one.server().destination, 0);
  lab.world().hops().set_state(static_cast<uint16_t>(hop), route::HopState::asking);
  EXPECT_EQ(one.send(one.tcp_there().ack(501).seq(101)).verdict, Verdict::hold);
  lab.world().hops().set_state(static_cast<uint16_t>(hop), route::HopState::failed);
  EXPECT_EQ(one.send(one.tcp_there().ack(501).seq(101)).reason, net::Reason::neighbour_unresolved);
  lab.world().hops().set_state(static_cast<uint16_t>(hop), route::HopState::ready);
  EXPECT_TRUE(one.works());
  lab.world().rebuild_routes();
  EXPECT_TRUE(one.works());
}

}  // namespace
}  // namespace nezu::lab
