// What a change costs, counted; and that publishing only what was touched shows the same as
// publishing everything.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"
#include "controlplane/publish/publisher.h"
#include "dataplane/tables/reader.h"

namespace nezu::publish {
namespace {

std::string number(uint32_t i) { return std::to_string(i); }

/// A region of its own, shown by a publisher that is told what each change touches.
class Shown {
 public:
  explicit Shown(uint32_t slots)
      : directory_(
            std::filesystem::temp_directory_path() /
            ("nezu-touched-" + number(static_cast<uint32_t>(getpid())) + "-" + number(count_++))) {
    std::filesystem::create_directories(directory_);
    Options options;
    options.region_dir = directory_;
    options.sizes.services = options.sizes.pools = slots;
    options.sizes.servers = options.sizes.addresses = slots;
    options.sizes.workers = 1;
    options.sizes.heap_bytes = 32 << 20;
    publisher_ = open_region(options);
    region_ = tables::Region::open_reader(directory_).region;
  }
  ~Shown() { std::filesystem::remove_all(directory_); }

  Result publish(const v1::Configuration& wanted, const Verdicts& verdicts = {}) {
    config::Problems problems;
    const store::Edit edit = config::edit_to(model_, wanted, problems);
    const store::Edit undo = model_.apply(edit);
    touched_.add_change(model_, edit, undo);
    for (const Verdicts& some : {verdicts_, verdicts}) {
      for (const auto& [identity, is_healthy] : some) touched_.add_verdict(model_, identity);
    }
    verdicts_ = verdicts;
    const Result result = publisher_->publish(model_, touched_, {verdicts, {}}, ++revision_);
    touched_ = {};
    return result;
  }

  /// All that packets could see, slots aside, in order.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    const tables::View view(region_->base(), region_->root(), region_->header().hash_seed);
    const auto add = [&lines](const auto&... words) {
      std::string line;
      (line.append(words).append(" "), ...);
      lines.push_back(line);
    };
    view.each(view.root()->services, [&](const tables::Service& service) {
      if (service.retired != 0) return;
      const tables::SnatSet* snats = view.snats(service.snats);
      std::string set = "snats";
      for (uint32_t i = 0; snats != nullptr && i < snats->count; ++i) {
        set += " " + net::to_string(view.address(snats->ids()[i])->address);
      }
      add("service", service.name.data(), net::to_string(service.key.address, service.key.port),
          number(service.enabled), view.pool(service.pool)->name.data(), set);
      EXPECT_EQ(view.service(service.key), &service);
    });
    view.each(view.root()->pools, [&](const tables::Pool& pool) {
      std::string members;
      for (uint32_t i = 0; i < pool.member_count; ++i) {
        const tables::Member& member = pool.members()[i];
        EXPECT_EQ(view.server(member.server)->identity.address, member.address);
        members += net::to_string(member.address) + "*" + number(member.weight) + "/" +
                   number(static_cast<uint32_t>(member.state)) + " ";
      }
      const tables::Ring* ring = view.ring(pool.ring);
      add("pool", pool.name.data(), number(pool.ready_count), members,
          std::to_string(ring != nullptr ? ring->fingerprint : 0));
    });
    view.each(view.root()->servers, [&](const tables::Server& server) {
      if (server.retired != 0) return;
      add("server", net::to_string(server.identity.address, server.identity.port),
          number(static_cast<uint32_t>(server.state)), number(server.healthy));
    });
    view.each(view.root()->addresses, [&](const tables::LocalAddress& address) {
      if (address.retired != 0) return;
      add("address", net::to_string(address.address), number(static_cast<uint32_t>(address.kind)),
          number(address.answers_ping));
    });
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  static inline uint32_t count_ = 0;
  std::filesystem::path directory_;
  config::Model model_;
  compile::Touched touched_;
  Verdicts verdicts_;
  uint64_t revision_ = 0;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<tables::Region> region_;
};

v1::Configuration services(uint32_t count) {
  v1::Configuration wanted;
  for (uint32_t i = 0; i < count; ++i) {
    auto* pool = wanted.add_pools();
    pool->set_name("pool" + number(i));
    pool->set_scheduler(v1::SCHEDULER_WRR);
    auto* server = pool->add_servers();
    server->set_address("10.1." + number(i / 250) + "." + number(1 + i % 250));
    server->set_port(80);
    auto* service = wanted.add_services();
    service->set_name("service" + number(i));
    service->set_address("10.2." + number(i / 250) + "." + number(1 + i % 250));
    service->set_port(80);
    service->set_pool(pool->name());
  }
  config::normalise(wanted);
  return wanted;
}

TEST(Touched, OneChangeCostsTheSameWithOneServiceAndWithThousands) {
  for (const uint32_t count : {1u, 3000u}) {
    Shown shown(4096);
    v1::Configuration wanted = services(count);
    ASSERT_EQ(shown.publish(wanted).compiled, 4 * count);
    wanted.mutable_pools(0)->mutable_servers(0)->set_weight(2);
    const Result weight = shown.publish(wanted);
    EXPECT_EQ(weight.outcome, Outcome::published);
    EXPECT_EQ(weight.compiled, 2u);  // the pool, the server
    EXPECT_LE(weight.written_bytes, 5000u);
    wanted.mutable_services(0)->set_enabled(false);
    const Result service = shown.publish(wanted);
    EXPECT_EQ(service.compiled, 2u);  // the service, its VIP's ping
    EXPECT_LE(service.written_bytes, 10000u);
    wanted.mutable_services()->DeleteSubrange(0, 1);
    const Result gone = shown.publish(wanted);
    EXPECT_EQ(gone.compiled, 0u);
    EXPECT_LE(gone.written_bytes, 16000u);
  }
}

TEST(Touched, APoolsChangeLooksOnlyAtPingsThatFollowIt) {
  Shown shown(64);
  v1::Configuration wanted = services(20);
  for (auto& service : *wanted.mutable_services()) service.set_pool("pool0");
  wanted.mutable_services(7)->set_ping(v1::PING_POLICY_ANY);
  shown.publish(wanted);
  wanted.mutable_pools(0)->mutable_servers(0)->set_weight(0);
  EXPECT_EQ(shown.publish(wanted).compiled, 3u);  // the pool, the server, one VIP
}

TEST(Touched, AVerdictCostsItsServerAndItsPools) {
  Shown shown(4096);
  const v1::Configuration wanted = services(1000);
  shown.publish(wanted);
  const tables::ServerIdentity server{
      net::Address::v4(0x0a010001u), net::Instance::standard, 80, net::Protocol::tcp, {}};
  EXPECT_EQ(shown.publish(wanted, {{server, false}}).compiled, 2u);
}

/// One random step; most of the things that can be touched.
void mutate(v1::Configuration& wanted, Verdicts& verdicts, std::mt19937& random) {
  const auto pick = [&random](int size) { return static_cast<int>(random() % unsigned(size)); };
  auto& service = *wanted.mutable_services(pick(wanted.services_size()));
  auto& pool = *wanted.mutable_pools(pick(wanted.pools_size()));
  switch (random() % 10) {
    case 0:
      service.set_address("10.2.0." + std::to_string(1 + pick(9)));
      break;
    case 1:
      service.set_enabled(!service.enabled());
      break;
    case 2:
      service.set_ping(static_cast<v1::PingPolicy>(1 + pick(4)));
      break;
    case 3:
      service.set_pool(pool.name());
      break;
    case 4:
      service.set_mode(service.mode() == v1::MODE_NAT ? v1::MODE_FULLNAT : v1::MODE_NAT);
      service.set_snat_set(service.mode() == v1::MODE_NAT ? "" : wanted.snat_sets(pick(2)).name());
      break;
    case 5:
      wanted.mutable_snat_sets(pick(2))->set_addresses(
          0, "192.0.2.1-192.0.2." + std::to_string(1 + pick(20)));
      break;
    case 6:
      if (pool.servers_size() > 0) pool.mutable_servers()->RemoveLast();
      break;
    case 7:
      *pool.add_servers() = v1::RealServer();
      pool.mutable_servers()->rbegin()->set_address("10.3.0." + std::to_string(1 + pick(200)));
      pool.mutable_servers()->rbegin()->set_port(80);
      break;
    case 8:
      pool.set_scheduler(static_cast<v1::Scheduler>(1 + pick(6)));
      break;
    default:
      verdicts[{net::Address::v4(0x0a010001u + unsigned(pick(12))),
                net::Instance::standard,
                80,
                net::Protocol::tcp,
                {}}] = random() % 2 == 0;
  }
  // Ports differ, so that any services may share an address; a server is in a pool once.
  uint32_t port = 1000;
  for (auto& each : *wanted.mutable_services()) each.set_port(++port);
  std::set<std::string> seen;
  auto& servers = *pool.mutable_servers();
  for (int i = servers.size() - 1; i >= 0; --i) {
    if (!seen.insert(servers[i].address()).second) servers.DeleteSubrange(i, 1);
  }
  config::normalise(wanted);
}

TEST(Touched, WhatChangesShowedOneByOneIsWhatEverythingAtOnceWouldShow) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    Shown step_by_step(256);
    Verdicts verdicts;
    v1::Configuration wanted = services(12);
    for (const char* name : {"a", "b"}) {
      auto* set = wanted.add_snat_sets();
      set->set_name(name);
      set->add_addresses("192.0.2.1-192.0.2.4");
    }
    for (int step = 0; step < 60; ++step) {
      v1::Configuration now = wanted;
      if (step % 7 == 3) now.mutable_services()->DeleteSubrange(0, 4);
      step_by_step.publish(now, verdicts);
      Shown at_once(256);
      at_once.publish(now, verdicts);
      ASSERT_EQ(step_by_step.lines(), at_once.lines()) << "seed " << seed << ", step " << step;
      mutate(wanted, verdicts, random);
    }
  }
}

}  // namespace
}  // namespace nezu::publish
