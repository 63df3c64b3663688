// Trouble is told once, with its size; ports' counters never go back.
#include "dataplane/watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "dataplane/tables/reader.h"
#include "dataplane/tables/writer.h"

namespace nezu::dataplane {
namespace {

using tables::EventKind;

class WatchTest : public testing::Test {
 protected:
  WatchTest() : region_(tables::Region::in_memory({}).region) {}
  std::vector<tables::Event> events() {
    std::vector<tables::Event> all;
    tables::Event event;
    while (region_->events().pop(event)) all.push_back(event);
    return all;
  }
  tables::Counter& reason(net::Reason reason) {
    return region_->worker(1).reasons[static_cast<size_t>(reason)];
  }
  std::unique_ptr<tables::Region> region_;
};

TEST_F(WatchTest, DropsOfTheLastRunAreNoNews) {
  reason(net::Reason::flow_table_full).add(5);
  Watch watch(*region_, 2);
  watch.look({});
  EXPECT_TRUE(events().empty());
  reason(net::Reason::flow_table_full).add(3);
  reason(net::Reason::handover_full).add(1);
  watch.look({});
  const auto told = events();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].kind, EventKind::flow_table_full);
  EXPECT_EQ(told[0].worker, 1);
  EXPECT_EQ(told[0].value, 3u);
  EXPECT_EQ(told[1].kind, EventKind::handover_full);
  watch.look({});
  EXPECT_TRUE(events().empty());
}

TEST_F(WatchTest, FillingIsToldOnceUntilItHasFallen) {
  Watch watch(*region_, 2);
  tables::WorkerLine& line = region_->worker(0);
  line.flow_capacity_ipv4.set(100);
  line.flows_ipv4.set(79);
  watch.look({});
  EXPECT_TRUE(events().empty());
  line.flows_ipv4.set(80);
  watch.look({});
  watch.look({});
  const auto told = events();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, EventKind::flow_table_filling);
  EXPECT_EQ(told[0].value, 80u);
  EXPECT_EQ(told[0].subject, 4u);
  line.flows_ipv4.set(10);
  watch.look({});
  line.flows_ipv4.set(90);
  watch.look({});
  EXPECT_EQ(events().size(), 1u);
}

TEST_F(WatchTest, ADrainsEndIsToldOnceWithTheFlowsThatWereLeft) {
  std::string error;
  const auto writer = tables::Writer::attach(*region_, &error);
  ASSERT_TRUE(writer) << error;
  tables::Server server;
  server.id = tables::ServerId{3};
  server.identity.address = *net::parse_address("10.0.0.11");
  server.identity.port = 80;
  server.configured = tables::ServerState::draining;
  server.drain_deadline = net::Instant{1000};
  tables::Transaction change(*writer);
  change.put(server);
  ASSERT_EQ(change.commit(1), tables::Commit::published);
  region_->servers_of(0)[3].flows_active.set(4);
  region_->servers_of(1)[3].flows_active.set(1);

  Watch watch(*region_, 2);
  watch.look_at_drains(writer->view(), net::Instant{900});
  EXPECT_TRUE(events().empty());
  watch.look_at_drains(writer->view(), net::Instant{1000});
  watch.look_at_drains(writer->view(), net::Instant{1100});
  const auto told = events();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, EventKind::drain_ended);
  EXPECT_EQ(told[0].value, 5u);
  EXPECT_STREQ(told[0].text.data(), "10.0.0.11:80");
  // After a restart that is old news.
  Watch again(*region_, 2);
  again.look_at_drains(writer->view(), net::Instant{1200});
  EXPECT_TRUE(events().empty());
}

TEST_F(WatchTest, OnlyOurOwnWorkersAreLateAndThatIsToldOnce) {
  constexpr std::string_view kName = "worker 0";
  const uint64_t a_second = net::kNanosecondsPerSecond;
  // Another data plane, which lives but has stopped, has a worker of the same number.
  tables::ReaderLine& strange = region_->reader(0);
  strange.owner.store(tables::process_mark(static_cast<uint32_t>(getppid())));
  std::copy(kName.begin(), kName.end(), strange.name.begin());
  const auto ours = tables::Reader::attach(*region_, kName);
  ASSERT_TRUE(ours);
  Watch watch(*region_, 1);
  ours->alive(net::Instant{10 * a_second});
  watch.look(net::Instant{10 * a_second});
  watch.look(net::Instant{10 * a_second});
  EXPECT_TRUE(events().empty());
  watch.look(net::Instant{12 * a_second});
  watch.look(net::Instant{13 * a_second});
  const auto told = events();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, EventKind::reader_late);
}

TEST_F(WatchTest, AFullRingLosesAndCounts) {
  Watch watch(*region_, 1);
  for (int i = 0; i < 1030; ++i) watch.tell(EventKind::link_changed, {});
  EXPECT_EQ(events().size(), 1024u);
  EXPECT_EQ(region_->events().lost.read(), 6u);
}

TEST_F(WatchTest, PortsCountOnFromWhatTheLineShows) {
  tables::PortLine& line = region_->port(0);
  mirror_counters(line, {}, {.received = 10, .sent = 4});
  const device::PortCounters base = counters_of(line);  // a restart
  mirror_counters(line, base, {.received = 1});
  EXPECT_EQ(line.received.read(), 11u);
  EXPECT_EQ(line.sent.read(), 4u);
}

}  // namespace
}  // namespace nezu::dataplane
