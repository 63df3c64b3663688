// Changes of the configuration through a real channel.
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "controlplane/config/journal.h"
#include "fixture.h"
#include "nezu/store/record.pb.h"

namespace nezu::api {
namespace {

using config::sample;
using testing::HasSubstr;

TEST_F(Api, AppliesAWholeOnce) {
  const v1::ChangeResponse first = apply(sample());
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(first.revision(), 1u);
  EXPECT_EQ(first.diff().added(), 8u);
  EXPECT_EQ(first.generation(), publisher.read().generation);
  const int publications = publisher.publications;
  const v1::ChangeResponse again = apply(sample());
  EXPECT_EQ(again.revision(), 1u);
  EXPECT_EQ(again.diff().changes_size(), 0);
  EXPECT_EQ(publisher.publications, publications);
  const v1::GetResponse got = get();
  EXPECT_EQ(got.revision(), 1u);
  EXPECT_EQ(got.configuration().services_size(), 2);
  EXPECT_THAT(got.author(), HasSubstr("local"));
}

TEST_F(Api, TakesAWeightThatIsNotThereForAMistakeNotForZero) {
  apply(sample());
  const auto request =
      from<v1::SetServerWeightRequest>("{pool: web, server: {address: 10.0.0.1, port: 8080}}");
  grpc::ClientContext context;
  v1::ChangeResponse response;
  EXPECT_EQ(configuration->SetServerWeight(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(get().revision(), 1u);
}

TEST_F(Api, WritesTheJournalBeforeItPublishes) {
  publisher.on_publish = [&](uint64_t revision) {
    const auto records =
        config::read_records(config::read_file(folder.at("state/journal.bin"))).payloads;
    store::Record last;
    ASSERT_FALSE(records.empty());
    ASSERT_TRUE(last.ParseFromString(records.back()));
    EXPECT_EQ(last.step().entry().revision(), revision);
  };
  apply(sample());
  ASSERT_TRUE(status.ok());
  set_weight(9);
  ASSERT_TRUE(status.ok());
  publisher.on_publish = nullptr;
}

TEST_F(Api, TellsTheFirstFiftyProblemsAndTheirNumber) {
  v1::Configuration bad;
  for (int i = 0; i < 70; ++i) {
    v1::VirtualService& service = *bad.add_services();
    service.set_name("s" + std::to_string(i));
    service.set_address("10.0.0." + std::to_string(i));
    service.set_port(80);
    service.set_pool("missing");
  }
  apply(bad);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("There are 70 problems"));
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::BadRequest request;
  ASSERT_TRUE(details.details(0).UnpackTo(&request));
  EXPECT_EQ(request.field_violations_size(), 50);
  EXPECT_THAT(request.DebugString(), HasSubstr("services[\\\"s1\\\"].pool"));
  const v1::ChangeResponse dry = apply(bad, true);
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(dry.dry_run());
  EXPECT_EQ(dry.problems_size(), 70);
  EXPECT_EQ(get().revision(), 0u);
}

TEST_F(Api, ShowsTheDiffOfADryRunAndChangesNothing) {
  apply(sample());
  v1::Configuration other = sample();
  other.mutable_services(0)->set_port(81);
  const v1::ChangeResponse dry = apply(other, true);
  EXPECT_EQ(dry.diff().changed(), 1u);
  EXPECT_EQ(dry.revision(), 1u);
  EXPECT_EQ(get().configuration().services(1).port(), 80u);
}

TEST_F(Api, RefusesAnotherRevisionThanExpected) {
  apply(sample());
  apply(v1::Configuration(), false, 7);
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("revision 1 is in force"));
  apply(v1::Configuration(), false, 1);
  EXPECT_TRUE(status.ok());
}

TEST_F(Api, ChangesSingleResources) {
  apply(sample());
  call(*configuration, &ConfigurationStub::CreatePool,
       from<v1::CreatePoolRequest>("pool: {name: extra, check: {tcp: }}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  call(*configuration, &ConfigurationStub::CreatePool,
       from<v1::CreatePoolRequest>("pool: {name: extra}"));
  EXPECT_EQ(status.error_code(), StatusCode::ALREADY_EXISTS);
  call(*configuration, &ConfigurationStub::CreateServer,
       from<v1::CreateServerRequest>("{pool: extra, server: {address: 10.0.0.9, port: 80}}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  call(*configuration, &ConfigurationStub::UpdateServer,
       from<v1::UpdateServerRequest>(
           "{pool: extra, server: {address: 10.0.0.9, port: 80, weight: 7}}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto added =
      call(*configuration, &ConfigurationStub::GetServer,
           from<v1::GetServerRequest>("{pool: extra, server: {address: 10.0.0.9, port: 80}}"));
  EXPECT_EQ(added.weight(), 7u);
  call(*configuration, &ConfigurationStub::UpdateService,
       from<v1::UpdateServiceRequest>("service: {name: shop, pool: extra, enabled: false}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto shop = call(*configuration, &ConfigurationStub::GetService,
                         from<v1::GetServiceRequest>("name: shop"));
  EXPECT_EQ(shop.pool(), "extra");
  EXPECT_FALSE(shop.enabled());
  EXPECT_EQ(shop.port(), 80u);
  call(*configuration, &ConfigurationStub::DeletePool, from<v1::DeletePoolRequest>("name: extra"));
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("used by service shop"));
  call(*configuration, &ConfigurationStub::DeleteService,
       from<v1::DeleteServiceRequest>("name: shop"));
  call(*configuration, &ConfigurationStub::DeletePool, from<v1::DeletePoolRequest>("name: extra"));
  EXPECT_TRUE(status.ok());
  call(*configuration, &ConfigurationStub::DeleteService,
       from<v1::DeleteServiceRequest>("name: shop"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(Api, RefusesAnUnknownFieldOfAMask) {
  apply(sample());
  v1::UpdateServiceRequest request;
  request.mutable_service()->set_name("shop");
  request.mutable_update_mask()->add_paths("prot");
  call(*configuration, &ConfigurationStub::UpdateService, request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("prot"));
}

TEST_F(Api, SetsWeightAndState) {
  apply(sample());
  set_weight(0);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(publisher.published.pools(1).servers(0).weight(), 0u);
  const auto drained = call(
      *configuration, &ConfigurationStub::SetServerState,
      from<v1::SetServerStateRequest>("{server: {address: 10.0.0.1, port: 8080}, state: drain, "
                                      "drain_timeout_s: 60}"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(drained.diff().changed(), 1u);
  const v1::RealServer& shown = publisher.published.pools(1).servers(0);
  EXPECT_EQ(shown.state(), v1::ADMIN_STATE_DRAIN);
  EXPECT_NEAR(static_cast<double>(shown.drain_deadline().seconds()),
              static_cast<double>(::time(nullptr) + 60), 5);
  call(*configuration, &ConfigurationStub::SetServerState,
       from<v1::SetServerStateRequest>("{server: {address: 10.0.0.1, port: 8080}, state: ready}"));
  EXPECT_FALSE(publisher.published.pools(1).servers(0).has_drain_deadline());
  call(*configuration, &ConfigurationStub::SetServerState,
       from<v1::SetServerStateRequest>("{server: {address: 10.9.9.9, port: 1}, state: ready}"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  call(*configuration, &ConfigurationStub::SetServerState,
       from<v1::SetServerStateRequest>("{server: {address: nowhere, port: 1}, state: ready}"));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  // A UDP server is found without saying so.
  call(*configuration, &ConfigurationStub::SetServerState,
       from<v1::SetServerStateRequest>("{server: {address: 10.0.0.1, port: 53}, state: disabled}"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Api, PublishesOnlyWhatAChangeTouches) {
  v1::Configuration many = sample();
  for (v1::Pool& pool : *many.mutable_pools()) {
    pool.clear_check();  // whose verdicts would be published in between
  }
  for (uint32_t i = 0; i < 200; ++i) {
    v1::VirtualService& service = *many.add_services();
    service = many.services(0);
    service.set_name("more" + std::to_string(i));
    service.set_port(10'000 + i);
  }
  apply(many);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto touched = [this] {
    const std::lock_guard lock(publisher.mutex);
    return std::exchange(publisher.last_touched, {});
  };
  EXPECT_EQ(touched().services.size(), 202u);
  set_weight(9);
  const compile::Touched weight = touched();
  EXPECT_TRUE(weight.services.empty());
  EXPECT_THAT(weight.pools, testing::ElementsAre("web"));
  EXPECT_EQ(weight.servers.size(), 2u);
  EXPECT_FALSE(weight.everything);
  // Again the same: nothing is touched, and nothing published.
  const int publications = publisher.publications;
  apply(publisher.published);
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(touched().services.empty());
  EXPECT_EQ(publisher.publications, publications);
  restart();
  EXPECT_TRUE(touched().everything);
}

TEST_F(Api, ListsByPages) {
  v1::Configuration many = sample();
  for (int i = 0; i < 25; ++i) {
    v1::VirtualService& service = *many.add_services();
    service.set_name("s" + std::to_string(100 + i));
    service.set_address("198.51.100." + std::to_string(1 + i));
    service.set_port(80);
    service.set_pool("web");
  }
  apply(many);
  ASSERT_TRUE(status.ok()) << status.error_message();
  v1::ListServicesRequest request;
  request.set_page_size(10);
  std::vector<std::string> names;
  do {
    const auto page = call(*configuration, &ConfigurationStub::ListServices, request);
    EXPECT_EQ(page.total(), 27u);
    for (const v1::VirtualService& service : page.services()) {
      names.push_back(service.name());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names.size(), 27u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  request.set_pool("dns");
  EXPECT_EQ(call(*configuration, &ConfigurationStub::ListServices, request).services_size(), 1);
  v1::ListServersRequest servers;
  servers.set_pool("web");
  servers.set_page_size(1);
  const auto first = call(*configuration, &ConfigurationStub::ListServers, servers);
  servers.set_page_token(first.next_page_token());
  const auto second = call(*configuration, &ConfigurationStub::ListServers, servers);
  EXPECT_EQ(first.servers(0).address(), "10.0.0.1");
  EXPECT_EQ(second.servers(0).address(), "10.0.0.2");
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(Api, KeepsHistoryAndRollsBack) {
  apply(sample());
  set_weight(5);
  set_weight(6);
  const auto history = call(*configuration, &ConfigurationStub::ListHistory,
                            from<v1::ListHistoryRequest>("limit: 10"));
  ASSERT_EQ(history.entries_size(), 3);
  EXPECT_EQ(history.entries(0).revision(), 3u);
  EXPECT_EQ(history.entries(2).added(), 8u);
  const auto diff = call(*configuration, &ConfigurationStub::DiffRevisions,
                         from<v1::DiffRevisionsRequest>("{from: 1, to: 3}"));
  ASSERT_EQ(diff.changes_size(), 1);
  EXPECT_EQ(diff.changes(0).object(), "pools[\"web\"].servers[\"10.0.0.1:8080\"]");
  EXPECT_EQ(diff.changes(0).fields(0).after(), "6");
  const auto back =
      call(*configuration, &ConfigurationStub::Rollback, from<v1::RollbackRequest>("revision: 1"));
  EXPECT_EQ(back.revision(), 4u);
  EXPECT_EQ(publisher.published.pools(1).servers(0).weight(), 1u);
  const auto older = call(*configuration, &ConfigurationStub::GetRevision,
                          from<v1::GetRevisionRequest>("revision: 2"));
  EXPECT_EQ(older.configuration().pools(1).servers(0).weight(), 5u);
  call(*configuration, &ConfigurationStub::Rollback, from<v1::RollbackRequest>("revision: 99"));
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(Api, TakesAStreamAsOneGeneration) {
  apply(v1::Configuration());
  const int publications = publisher.publications;
  grpc::ClientContext context;
  v1::ChangeResponse response;
  const auto writer = configuration->ApplyStream(&context, &response);
  const v1::Configuration whole = sample();
  v1::ApplyStreamRequest part;
  *part.mutable_part()->mutable_pools() = whole.pools();
  *part.mutable_part()->mutable_snat_sets() = whole.snat_sets();
  writer->Write(part);
  for (const v1::VirtualService& service : whole.services()) {
    part.Clear();
    *part.mutable_part()->add_services() = service;
    writer->Write(part);
  }
  writer->WritesDone();
  status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.diff().added(), 8u);
  EXPECT_EQ(publisher.publications, publications + 1);
}

TEST_F(Api, ChangesNothingByAStreamThatWasCutOff) {
  apply(sample());
  grpc::ClientContext context;
  v1::ChangeResponse response;
  const auto writer = configuration->ApplyStream(&context, &response);
  writer->Write(v1::ApplyStreamRequest());
  context.TryCancel();
  EXPECT_FALSE(writer->Finish().ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(get().configuration().services_size(), 2);
}

TEST_F(Api, SaysWhenTheRegionIsFullAndChangesNothing) {
  apply(sample());
  publisher.most_services = 2;
  call(*configuration, &ConfigurationStub::CreateService,
       from<v1::CreateServiceRequest>(
           "service: {name: more, address: 198.51.100.1, port: 80, pool: web}"));
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("Nothing has changed"));
  EXPECT_EQ(get().revision(), 1u);
  EXPECT_EQ(get().configuration().services_size(), 2);
  set_weight(4);
  EXPECT_TRUE(status.ok());
  restart();
  EXPECT_EQ(get().revision(), 2u);
  EXPECT_EQ(get().configuration().services_size(), 2);
}

TEST_F(Api, ChangesNothingWhenTheDiskIsFull) {
  apply(sample());
  const int publications = publisher.publications;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{std::filesystem::file_size(folder.at("state/journal.bin")) + 20,
                     before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  set_weight(8);
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("Nothing has changed"));
  EXPECT_EQ(publisher.publications, publications);
  EXPECT_EQ(get().revision(), 1u);
  set_weight(9);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Api, SharesSyncsAndPublications) {
  apply(sample());
  publisher.on_publish = [](uint64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  };
  const int before = publisher.publications;
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (uint32_t i = 0; i < 40; ++i) {
    threads.emplace_back([&, i] {
      grpc::ClientContext context;
      v1::ChangeResponse response;
      const auto request = from<v1::SetServerWeightRequest>(
          "{pool: web, server: {address: 10.0.0.1, port: 8080}, weight: " +
          std::to_string(100 + i) + "}");
      good += configuration->SetServerWeight(&context, request, &response).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 40);
  EXPECT_EQ(get().revision(), 41u);
  EXPECT_LT(publisher.publications - before, 30);
  publisher.on_publish = nullptr;
}

TEST_F(Api, RefusesOnlyWhatDoesNotFit) {
  apply(sample());
  publisher.most_services = 4;
  publisher.on_publish = [](uint64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  };
  std::vector<std::thread> threads;
  std::atomic<int> good = 0, full = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      grpc::ClientContext context;
      v1::ChangeResponse response;
      const auto request = from<v1::CreateServiceRequest>(
          "service: {name: s" + std::to_string(i) + ", address: 198.51.100." +
          std::to_string(1 + i) + ", port: 80, pool: web}");
      const grpc::Status result = configuration->CreateService(&context, request, &response);
      good += result.ok() ? 1 : 0;
      full += result.error_code() == StatusCode::RESOURCE_EXHAUSTED ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 2);
  EXPECT_EQ(full, 6);
  publisher.on_publish = nullptr;
  restart();
  EXPECT_EQ(get().configuration().services_size(), 4);
}

TEST_F(Api, ComesBackAsItWas) {
  apply(sample());
  set_weight(42);
  const std::string before = get().DebugString();
  restart();
  EXPECT_EQ(get().DebugString(), before);
  EXPECT_EQ(publisher.published.pools_size(), 2);
}

TEST_F(Api, TakesNothingAwayWhenItsFolderIsEmpty) {
  apply(sample());
  server.reset();
  std::filesystem::remove_all(folder.at("state"));
  const int before = publisher.publications;
  start();
  EXPECT_EQ(publisher.publications, before);
  const auto facts = call(*system, &v1::SystemService::Stub::GetSystem, v1::GetSystemRequest());
  EXPECT_THAT(facts.DebugString(), HasSubstr("The state folder is empty, but"));
  apply(sample());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(publisher.publications, before + 1);
}

TEST_F(Api, TakesOverConfigurationAndHealthOfTheOneBefore) {
  v1::Configuration wanted = sample();
  // Checked within a second, then not again in this test.
  *wanted.add_pools() = from<v1::Pool>(
      "{name: local, check: {tcp: , interval_ms: 3600000, fall: 1, address: 127.0.0.1, port: 1}, "
      "servers: [{address: 10.0.0.7, port: 1}]}");
  apply(wanted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto failed = [](const FakePublisher& shown) {
    const std::lock_guard lock(shown.mutex);
    return std::count_if(shown.shown_verdicts.begin(), shown.shown_verdicts.end(),
                         [](const auto& one) {
                           return net::to_string(one.first.address) == "10.0.0.7" && !one.second;
                         }) == 1;
  };
  for (int i = 0; i < 1000 && !failed(publisher); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(failed(publisher));

  FakePublisher region;
  ServerOptions options;
  options.state_dir = folder.at("next");
  options.socket = folder.at("next.sock");
  options.take_over = folder.at("api.sock");
  {
    const Server next(options, region);
    EXPECT_TRUE(failed(region)) << "published as failed from the first generation on";
    EXPECT_EQ(region.published.pools_size(), wanted.pools_size());
    const std::lock_guard lock(region.mutex);
    EXPECT_EQ(region.publications, 1);
  }
  // The next start has a configuration of its own, and the one before may be gone.
  server.reset();
  const Server next(options, region);
  EXPECT_EQ(region.published.pools_size(), wanted.pools_size());
}

TEST_F(Api, TakesOverNothingFromNobody) {
  ServerOptions options;
  options.state_dir = folder.at("next");
  options.socket = folder.at("next.sock");
  options.take_over = folder.at("nobody.sock");
  FakePublisher region;
  EXPECT_THROW(
      try { const Server next(options, region); } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("nobody.sock"));
        throw;
      },
      std::runtime_error);
  EXPECT_EQ(region.publications, 0);
}

TEST_F(Api, RefusesARegexThatDoesNotCompile) {
  v1::Configuration bad = sample();
  bad.mutable_pools(0)->mutable_check()->mutable_http()->set_body_regex("(");
  apply(bad);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("pools[\"web\"].check"));
}

}  // namespace
}  // namespace nezu::api
