// What the tests of the region's publisher share: a configuration, and a region that shows it.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"
#include "controlplane/publish/region_publisher.h"
#include "dataplane/tables/reader.h"

namespace nezu::publish {

inline constexpr char kShop[] = R"(
  services { name: "shop" address: "203.0.113.10" port: 80 pool: "web" }
  services { name: "full" address: "203.0.113.11" port: 80 pool: "web" mode: MODE_FULLNAT
             snat_set: "out" }
  pools { name: "web" scheduler: SCHEDULER_WRR
          servers { address: "10.0.1.5" port: 8080 }
          servers { address: "10.0.1.6" port: 8080 weight: 3 } }
  snat_sets { name: "out" addresses: "10.0.0.1-10.0.0.2" }
)";

inline v1::Configuration configuration(const std::string& text) {
  v1::Configuration parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed));
  return parsed;
}

inline tables::ServerIdentity server(uint8_t last) {
  return {
      net::Address::v4(0x0a000100u + last), net::Instance::standard, 8080, net::Protocol::tcp, {}};
}

class RegionPublisherTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::temp_directory_path() / ("nezu-publish-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
    open();
  }
  void TearDown() override {
    publisher_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    publisher_.reset();
    touched_.add_everything(model_);
    Options options;
    options.region_dir = directory_;
    options.sizes.services = 16;
    options.sizes.pools = 16;
    options.sizes.servers = 16;
    options.sizes.addresses = 16;
    options.sizes.workers = 2;
    options.sizes.heap_bytes = 4 << 20;
    publisher_ = open_region(options);
    region_ = tables::Region::open_reader(directory_).region;
    ASSERT_NE(region_, nullptr);
  }
  tables::View view() const {
    return {region_->base(), region_->root(), region_->header().hash_seed};
  }
  /// Makes `wanted` the configuration and publishes what that touches, as the API does.
  Result publish(v1::Configuration wanted, const Verdicts& verdicts, uint64_t revision) {
    config::normalise(wanted);
    config::Problems problems;
    const store::Edit edit = config::edit_to(model_, wanted, problems);
    const store::Edit undo = model_.apply(edit);
    touched_.add_change(model_, edit, undo);
    for (const Verdicts& some : {verdicts_, verdicts}) {
      for (const auto& [identity, is_healthy] : some) touched_.add_verdict(model_, identity);
    }
    verdicts_ = verdicts;
    const Result result = publisher_->publish(model_, touched_, {verdicts, {}}, revision);
    if (result.outcome == Outcome::full) {
      model_.apply(undo);
    } else {
      touched_ = {};
    }
    return result;
  }
  const tables::Server* find(const tables::ServerIdentity& identity) const {
    const tables::Server* found = nullptr;
    view().each(view().root()->servers, [&](const tables::Server& entry) {
      if (entry.identity == identity) found = &entry;
    });
    return found;
  }
  const tables::LocalAddress* address(const char* text) const {
    return view().address(net::Instance::standard, *net::parse_address(text));
  }

  std::filesystem::path directory_;
  config::Model model_;
  compile::Touched touched_;
  Verdicts verdicts_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<tables::Region> region_;
};

}  // namespace nezu::publish
