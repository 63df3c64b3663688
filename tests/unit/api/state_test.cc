// Watching, statistics, flows, facts, through a real channel.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "controlplane/api/version.h"
#include "fixture.h"

namespace nezu::api {
namespace {

using config::sample;
using testing::HasSubstr;

/// Reads a Watch stream until a message pleases, or gives up.
class Watcher {
 public:
  Watcher(v1::StateService::Stub& stub, const v1::WatchRequest& request) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    reader_ = stub.Watch(&context_, request);
  }
  ~Watcher() {
    context_.TryCancel();
    reader_->Finish();
  }
  template <typename Pleases>
  std::optional<v1::WatchResponse> next(Pleases pleases) {
    v1::WatchResponse message;
    while (reader_->Read(&message)) {
      if (pleases(message)) {
        return message;
      }
    }
    return std::nullopt;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
};

bool is_complete(const v1::WatchResponse& message) { return message.initial_complete(); }

TEST_F(Api, WatchesServers) {
  apply(sample());
  Watcher watcher(*state, from<v1::WatchRequest>("topics: [servers, drains]"));
  ASSERT_TRUE(watcher.next(is_complete));
  call(*configuration, &ConfigurationStub::SetServerState,
       from<v1::SetServerStateRequest>("{server: {address: 10.0.0.2, port: 8080}, state: drain}"));
  const auto change = watcher.next([](const v1::WatchResponse& message) {
    // Its check may have failed meanwhile, which shows in the effective state.
    return message.server().admin_state() == v1::ADMIN_STATE_DRAIN;
  });
  ASSERT_TRUE(change);
  EXPECT_EQ(change->server().server().address(), "10.0.0.2");
  EXPECT_FALSE(change->initial());
  apply(v1::Configuration());
  EXPECT_TRUE(watcher.next([](const v1::WatchResponse& message) {
    return message.server().leaving() && message.server().server().address() == "10.0.0.1";
  }));
}

TEST_F(Api, WatchesTellThePresentStateFirst) {
  apply(sample());
  // The monitor looks a few times a second.
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  Watcher watcher(*state, v1::WatchRequest());
  int servers = 0;
  EXPECT_TRUE(watcher.next([&](const v1::WatchResponse& message) {
    EXPECT_TRUE(message.initial());
    servers += message.has_server() ? 1 : 0;
    return message.initial_complete();
  }));
  EXPECT_EQ(servers, 3);
}

TEST_F(Api, WatchesPortsFillAndAlarms) {
  {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.ports.resize(1);
    publisher.reading.ports[0].name = "front";
    publisher.reading.ports[0].link_up = true;
    publisher.reading.workers.resize(1);
    publisher.reading.workers[0].flow_capacity_ipv4 = 100;
    publisher.reading.workers[0].flows_ipv4 = 10;
  }
  Watcher watcher(*state, from<v1::WatchRequest>("{topics: [ports, fill, alarms, generation]}"));
  ASSERT_TRUE(watcher.next([](const auto& m) { return m.port().link_up(); }));
  {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.ports[0].link_up = false;
    publisher.reading.workers[0].flows_ipv4 = 91;
    publisher.is_attached = false;
    publisher.events.push_back({.kind = tables::EventKind::snat_ports_exhausted, .worker = 3});
  }
  bool port = false, fill = false, alarm = false, event = false;
  EXPECT_TRUE(watcher.next([&](const v1::WatchResponse& m) {
    port = port || (m.has_port() && !m.port().link_up());
    fill = fill || (m.fill().percent() == 91 && m.fill().what() == "flows ipv4, worker 0");
    alarm = alarm || (m.alarm().subject() == "dataplane" && !m.alarm().over());
    event = event || m.alarm().text().find("No SNAT port is free on worker 3") == 0;
    return port && fill && alarm && event;
  }));
  {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.workers[0].flows_ipv4 = 10;
    publisher.is_attached = true;
    publisher.reading.workers[0].generation = publisher.reading.generation;
  }
  bool below = false, over = false, adopted = false;
  EXPECT_TRUE(watcher.next([&](const v1::WatchResponse& m) {
    below = below || m.fill().percent() == 10;
    over = over || (m.alarm().subject() == "dataplane" && m.alarm().over());
    adopted = adopted || m.generation().adopted_by_all();
    return below && over && adopted;
  }));
}

TEST_F(Api, WatchesDropsAboveTheThreshold) {
  {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.workers.resize(1);
  }
  Watcher watcher(*state, from<v1::WatchRequest>("topics: [drops]"));
  ASSERT_TRUE(watcher.next(is_complete));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.workers[0].reasons[static_cast<size_t>(net::Reason::no_server)] = 1'000'000;
    publisher.reading.workers[0].reasons[static_cast<size_t>(net::Reason::no_route)] = 10;
  }
  const auto drops = watcher.next([](const auto&) { return true; });
  ASSERT_TRUE(drops);
  EXPECT_EQ(drops->drops().reason(), "no_server");
  EXPECT_GT(drops->drops().packets_per_second(), 100'000);
  const auto end = watcher.next([](const auto& m) { return m.drops().over(); });
  ASSERT_TRUE(end);
  EXPECT_EQ(end->drops().reason(), "no_server");
}

TEST_F(Api, RefusesToWatchWhatItDoesNotKnow) {
  v1::WatchRequest request;
  request.add_topics(static_cast<v1::Topic>(99));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const auto stream = state->Watch(&context, request);
  v1::WatchResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Api, HoldsHundredsOfWatchesWithoutThreads) {
  apply(sample());
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                         std::filesystem::directory_iterator());
  };
  const auto before = threads();
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 300; ++i) {
    watchers.push_back(std::make_unique<Watcher>(*state, v1::WatchRequest()));
  }
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(watcher->next(is_complete));
  }
  EXPECT_LT(threads() - before, 30);
  set_weight(77);
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(watcher->next([](const auto& m) { return m.server().weight() == 77; }));
  }
}

TEST_F(Api, CountsAndRates) {
  apply(sample());
  const auto count = [&](uint64_t packets) {
    const std::lock_guard lock(publisher.mutex);
    publisher.reading.services[1].traffic.packets_to_server = packets;
    publisher.reading.workers.resize(1);
    publisher.reading.workers[0].received = packets;
    publisher.reading.workers[0].tsc_hz = 2'000'000'000;
    publisher.reading.workers[0].longest_turn = 250'000;
    publisher.reading.workers[0].turns_too_long = packets / 1000;
    publisher.reading.workers[0].reasons[static_cast<size_t>(net::Reason::no_route)] = packets / 10;
  };
  count(1000);
  std::this_thread::sleep_for(std::chrono::milliseconds(2600));
  count(101000);
  const auto statistics =
      call(*state, &StateStub::GetStatistics, from<v1::GetStatisticsRequest>("service: shop"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(statistics.services_size(), 1);
  EXPECT_EQ(statistics.services(0).counters().packets_to_server(), 101000u);
  const double rate = statistics.services(0).rates().packets_to_server();
  const double expected = 100000.0 * 1000 / statistics.rate_window_ms();
  EXPECT_NEAR(rate, expected, expected / 50);
  EXPECT_GE(statistics.rate_window_ms(), 900u);
  EXPECT_LE(statistics.rate_window_ms(), 2800u);
  EXPECT_NEAR(statistics.workers(0).received_per_second(), expected, expected / 50);
  EXPECT_DOUBLE_EQ(statistics.workers(0).longest_turn_us(), 125);
  EXPECT_EQ(statistics.workers(0).turns_too_long(), 101u);
  ASSERT_EQ(statistics.drops_size(), 1);
  EXPECT_EQ(statistics.drops(0).reason(), "no_route");
  EXPECT_TRUE(statistics.data_plane_attached());
  const auto some = call(*state, &StateStub::GetStatistics,
                         from<v1::GetStatisticsRequest>("{parts: [servers], pool: web}"));
  EXPECT_EQ(some.services_size(), 0);
  EXPECT_EQ(some.servers_size(), 2);
  call(*state, &StateStub::GetStatistics, from<v1::GetStatisticsRequest>("pool: wbe"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(Api, ListsServerStatus) {
  apply(sample());
  const auto all = call(*state, &StateStub::ListServerStatus, v1::ListServerStatusRequest());
  EXPECT_EQ(all.servers_size(), 3);
  EXPECT_EQ(all.servers(0).state(), v1::EFFECTIVE_STATE_READY);
  EXPECT_EQ(all.servers(0).health(), v1::HEALTH_UNKNOWN);
  const auto dns =
      call(*state, &StateStub::ListServerStatus, from<v1::ListServerStatusRequest>("pool: dns"));
  ASSERT_EQ(dns.servers_size(), 1);
  EXPECT_EQ(dns.servers(0).pools(0), "dns");
}

TEST_F(Api, ListsFlowsInPieces) {
  apply(sample());
  tables::FlowRecord flow{};
  flow.client = *net::parse_address("192.0.2.7");
  flow.server = *net::parse_address("10.0.0.1");
  flow.protocol = net::Protocol::tcp;
  flow.state = tables::Timeout::established;
  flow.service = static_cast<tables::ServiceId>(0);
  publisher.flows.assign(1000, flow);
  grpc::ClientContext context;
  const auto reader = flows->ListFlows(
      &context,
      from<v1::ListFlowsRequest>("{filter: {service: shop, client: 192.0.2.7}, limit: 600}"));
  v1::ListFlowsResponse message;
  int count = 0;
  bool is_complete = false;
  while (reader->Read(&message)) {
    count += message.flows_size();
    if (message.flows_size() > 0) {
      EXPECT_EQ(message.flows(0).client(), "192.0.2.7");
      EXPECT_EQ(message.flows(0).state(), v1::FLOW_STATE_ESTABLISHED);
    }
    if (message.complete()) {
      is_complete = true;
      EXPECT_EQ(message.matched(), 1000u);
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(is_complete);
  EXPECT_EQ(count, 600);
  EXPECT_EQ(net::to_string(publisher.last_filter.client), "192.0.2.7");
}

TEST_F(Api, RefusesToListFlowsOfWhatIsNotThere) {
  apply(sample());
  for (const char* wrong : {"filter: {service: nobody}", "limit: 1000001", "timeout_ms: 99"}) {
    grpc::ClientContext context;
    const auto reader = flows->ListFlows(&context, from<v1::ListFlowsRequest>(wrong));
    v1::ListFlowsResponse message;
    EXPECT_FALSE(reader->Read(&message)) << wrong;
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::INVALID_ARGUMENT) << wrong;
  }
  v1::GetStatisticsRequest request;
  request.add_parts(static_cast<v1::StatisticsPart>(99));
  call(*state, &StateStub::GetStatistics, request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("parts[0]"));
}

TEST_F(Api, EndsFlowsOnlyWhenItIsMeant) {
  apply(sample());
  publisher.flows.resize(5);
  const auto end = &v1::FlowService::Stub::EndFlows;
  call(*flows, end, v1::EndFlowsRequest());
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call(*flows, end, from<v1::EndFlowsRequest>("all: true")).ended(), 5u);
  for (const char* wrong :
       {"{all: true, filter: {service: shop}}", "filter: {service: nobody}",
        "filter: {client: nobody}", "filter: {server: {address: 10.9.9.9, port: 1}}",
        "{all: true, timeout_ms: 1}", "{all: true, timeout_ms: 60001}"}) {
    call(*flows, end, from<v1::EndFlowsRequest>(wrong));
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << wrong;
  }
  publisher.answer = publish::Answer::unavailable;
  call(*flows, end, from<v1::EndFlowsRequest>("all: true"));
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(Api, TellsFactsOfTheSystem) {
  {
    const std::lock_guard lock(publisher.mutex);
    publish::RegionReading other;
    other.path = "/r/region-1";
    publish::RegionReading ours;
    ours.path = "/r/region-2";
    ours.ours = ours.compatible = true;
    ours.generation = 9;
    ours.readers.push_back({"worker 3", 7, true, true, 5, {}});
    publisher.region_readings = {other, ours};
  }
  const auto facts = call(*system, &v1::SystemService::Stub::GetSystem, v1::GetSystemRequest());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(facts.control_plane().version(), kVersion);
  EXPECT_GT(facts.control_plane().memory_bytes(), 1u << 20);
  ASSERT_EQ(facts.regions_size(), 2);
  EXPECT_EQ(facts.regions(0).path(), "/r/region-2");
  EXPECT_EQ(facts.regions(0).laggard(), "worker 3");
  EXPECT_EQ(facts.regions(0).readers(0).behind(), 4u);
  EXPECT_TRUE(facts.data_plane().attached());
}

TEST_F(Api, ExplainsAChecksLastResult) {
  v1::Configuration wanted = sample();
  v1::Pool& pool = *wanted.add_pools();
  pool = from<v1::Pool>(
      "{name: local, check: {tcp: , interval_ms: 100, timeout_ms: 100, fall: 1, "
      "address: 127.0.0.1, port: 1}, servers: [{address: 10.0.0.7, port: 1}]}");
  apply(wanted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  v1::ExplainCheckResponse explained;
  for (int i = 0; i < 100 && explained.health() != v1::HEALTH_FAILED; ++i) {
    // The check is unknown until the engine has read its list.
    explained = call(*state, &StateStub::ExplainCheck,
                     from<v1::ExplainCheckRequest>("server: {address: 10.0.0.7, port: 1}"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(explained.health(), v1::HEALTH_FAILED);
  EXPECT_EQ(explained.last_result(), v1::CHECK_RESULT_BAD);
  EXPECT_THAT(explained.error(), HasSubstr("refused"));
  EXPECT_THAT(explained.check(), HasSubstr("127.0.0.1:1"));
  // The verdict reached the tables.
  for (int i = 0; i < 100; ++i) {
    const std::lock_guard lock(publisher.mutex);
    if (!publisher.shown_verdicts.empty()) {
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto servers =
      call(*state, &StateStub::ListServerStatus, from<v1::ListServerStatusRequest>("pool: local"));
  EXPECT_EQ(servers.servers(0).state(), v1::EFFECTIVE_STATE_FAILED);
  call(*state, &StateStub::ExplainCheck,
       from<v1::ExplainCheckRequest>("server: {address: 10.0.0.8, port: 1}"));
  EXPECT_THAT(status.error_message(), testing::HasSubstr("server 10.0.0.8:1;"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(Api, LetsAServerReturnThatWaitsForIt) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(listener, 128), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
  v1::Configuration wanted = sample();
  *wanted.add_pools() = from<v1::Pool>(
      "{name: local, check: {tcp: , interval_ms: 100, timeout_ms: 100, rise: 1, fall: 1, "
      "manual_return: true, address: 127.0.0.1}, servers: [{address: 10.0.0.7, port: 1}]}");
  const auto check_port = [&](uint16_t port) {
    wanted.mutable_pools(wanted.pools_size() - 1)->mutable_check()->set_port(port);
    apply(wanted);
  };
  check_port(::ntohs(at.sin_port));
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto explained = [this] {
    return call(*state, &StateStub::ExplainCheck,
                from<v1::ExplainCheckRequest>("server: {address: 10.0.0.7, port: 1}"));
  };
  const auto wait = [&](auto wished) {
    for (int i = 0; i < 200 && !wished(explained()); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return wished(explained());
  };
  const auto let = [this](const std::string& identity) {
    return call(*state, &StateStub::ReturnServer,
                from<v1::ReturnServerRequest>("server: " + identity));
  };
  ASSERT_TRUE(wait([](const auto& check) { return check.health() == v1::HEALTH_HEALTHY; }));
  check_port(1);  // where nobody listens
  ASSERT_TRUE(wait([](const auto& check) { return check.health() == v1::HEALTH_FAILED; }));
  let("{address: 10.0.0.7, port: 1}");
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("not good yet"));
  let("{address: 10.0.0.8, port: 1}");
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  let("{address: nonsense, port: 1}");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);

  check_port(::ntohs(at.sin_port));
  ASSERT_TRUE(wait([](const auto& check) { return check.awaits_return(); }));
  EXPECT_EQ(explained().health(), v1::HEALTH_FAILED);
  EXPECT_FALSE(explained().held_down());
  const auto list =
      call(*state, &StateStub::ListServerStatus, from<v1::ListServerStatusRequest>("pool: local"));
  EXPECT_TRUE(list.servers(0).awaits_return());
  EXPECT_EQ(let("{address: 10.0.0.7, port: 1}").server().address(), "10.0.0.7");
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(wait([](const auto& check) { return check.health() == v1::HEALTH_HEALTHY; }));
  let("{address: 10.0.0.7, port: 1}");
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("has not failed"));
  ::close(listener);
}

TEST_F(Api, LetsOnlyOwnerAndGroupIn) {
  struct stat socket {};
  ASSERT_EQ(::stat(folder.at("api.sock").c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 0777u, 0660u);
}

TEST(Listen, RefusesWhatWouldLetAnybodyIn) {
  EXPECT_EQ(socket_of("unix:/run/x.sock"), "/run/x.sock");
  EXPECT_EQ(socket_of("unix:///run/x.sock"), "/run/x.sock");
  EXPECT_THROW(socket_of("0.0.0.0:5000"), std::runtime_error);
  FakePublisher publisher;
  const config::Folder folder;
  ServerOptions options;
  options.state_dir = folder.path();
  options.socket.clear();
  options.tls.address = "127.0.0.1:0";
  EXPECT_THROW(Server(options, publisher), std::runtime_error);
}

}  // namespace
}  // namespace nezu::api
