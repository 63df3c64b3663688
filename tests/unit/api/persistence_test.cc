// Clients that stay on a server, through a real channel; the data plane is played.
#include "fixture.h"

namespace nezu::api {
namespace {

using testing::HasSubstr;

class PersistenceCalls : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    apply(from<v1::Configuration>(R"(
      services:
      - { name: http, address: 192.0.2.10, port: 80, pool: web, mark: 7, persistence: {} }
      - { name: plain, address: 192.0.2.11, port: 80, pool: web }
      pools:
      - { name: web, servers: [{ address: 10.0.0.5, port: 8080 }] })"));
  }
  void add(const std::string& text) {
    const auto request = from<v1::AddPersistenceRequest>(text);
    grpc::ClientContext context;
    v1::AddPersistenceResponse response;
    status = flows->AddPersistence(&context, request, &response);
  }
  uint64_t clear(const std::string& text) {
    const auto request = from<v1::ClearPersistenceRequest>(text);
    grpc::ClientContext context;
    v1::ClearPersistenceResponse response;
    status = flows->ClearPersistence(&context, request, &response);
    return response.cleared();
  }
  std::vector<v1::PersistentClient> list(const std::string& text) {
    const auto request = from<v1::ListPersistenceRequest>(text);
    grpc::ClientContext context;
    auto reader = flows->ListPersistence(&context, request);
    std::vector<v1::PersistentClient> clients;
    v1::ListPersistenceResponse response;
    bool complete = false;
    while (reader->Read(&response)) {
      clients.insert(clients.end(), response.clients().begin(), response.clients().end());
      complete = response.complete();
    }
    status = reader->Finish();
    EXPECT_EQ(complete, status.ok());
    return clients;
  }
};

TEST_F(PersistenceCalls, ListsClientsOfServicesAndMarks) {
  tables::FlowRecord record{};
  record.client = *net::parse_address("198.51.100.0");
  record.client_port = 24;
  record.server = *net::parse_address("10.0.0.5");
  record.server_port = 8080;
  record.seconds_left = 99;
  record.service_port = 7;
  publisher.flows.push_back(record);
  record.service_port = 0;
  record.service = tables::ServiceId{1};
  publisher.flows.push_back(record);
  const auto clients = list("{filter: {client: 198.51.100.9, service: plain}}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(clients.size(), 2u);
  EXPECT_EQ(clients[0].client(), "198.51.100.0/24");
  EXPECT_EQ(clients[0].server(), "10.0.0.5");
  EXPECT_EQ(clients[0].mark(), 7u);
  EXPECT_EQ(clients[0].service(), "");
  EXPECT_EQ(clients[0].expires_in_s(), 99u);
  EXPECT_EQ(clients[1].mark(), 0u);
  EXPECT_EQ(clients[1].service(), "plain");
  EXPECT_EQ(publisher.last_kind, tables::RequestKind::list_clients);
  EXPECT_EQ(publisher.last_filter.service, tables::ServiceId{1});
  EXPECT_EQ(publisher.last_filter.client, *net::parse_address("198.51.100.9"));
  list("{filter: {client: nonsense, service: nobody}}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PersistenceCalls, AddsAClientToAServerOfThePool) {
  publisher.flows.resize(1);  // it says that one was done
  add("{service: http, client: 198.51.100.7, server: {address: 10.0.0.5, port: 8080}}");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(publisher.last_kind, tables::RequestKind::add_client);
  EXPECT_EQ(publisher.last_filter.client, *net::parse_address("198.51.100.7"));
  EXPECT_EQ(publisher.last_filter.server_id, tables::ServerId{0});
  add("{service: http, client: 198.51.100.7, server: {address: 10.0.0.6, port: 8080}}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("There is no such server in pool web"));
  add("{service: plain, client: 198.51.100.7, server: {address: 10.0.0.5, port: 8080}}");
  EXPECT_THAT(status.error_message(), HasSubstr("give it persistence first"));
  add("{service: http, server: {address: 10.0.0.5, port: 8080}}");
  EXPECT_THAT(status.error_message(), HasSubstr("The client's address is missing"));
  add("{service: http, client: '2001:db8::7', server: {address: 10.0.0.5, port: 8080}}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("The service is IPv4, and so are all its clients"));
  add("{service: http, client: 198.51.100.7}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PersistenceCalls, ClearsWhatIsMeantAlone) {
  publisher.flows.resize(3);
  EXPECT_EQ(clear("{filter: {service: http}}"), 3u);
  EXPECT_EQ(publisher.last_kind, tables::RequestKind::clear_clients);
  clear("{}");
  EXPECT_THAT(status.error_message(), HasSubstr("set `all` if that is meant"));
  clear("{all: true, filter: {service: http}}");
  EXPECT_THAT(status.error_message(), HasSubstr("contradict each other"));
  EXPECT_EQ(clear("{all: true}"), 3u);
  publisher.answer = publish::Answer::unavailable;
  clear("{all: true}");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace nezu::api
