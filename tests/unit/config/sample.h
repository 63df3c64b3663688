// A small configuration that is valid, to be spoilt by tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "controlplane/config/normalise.h"
#include "controlplane/config/yaml.h"

namespace nezu::config {

inline constexpr const char* kSample = R"(
services:
  - name: shop
    address: 203.0.113.10
    port: 80
    pool: web
  - name: names
    address: 203.0.113.10
    port: 53
    protocol: udp
    mode: fullnat
    pool: dns
    snat_set: out
pools:
  - name: web
    scheduler: mh
    check: {http: {path: /health}, interval_ms: 500}
    servers:
      - {address: 10.0.0.2, port: 8080, weight: 3}
      - {address: 10.0.0.1, port: 8080}
  - name: dns
    protocol: udp
    check: {icmp: {}}
    servers:
      - {address: 10.0.0.1, port: 53}
snat_sets:
  - name: out
    addresses: [192.0.2.1, 192.0.2.8-192.0.2.11]
)";

inline v1::Configuration parse(const std::string& text) {
  v1::Configuration configuration;
  const Problems problems = from_yaml(text, configuration);
  EXPECT_TRUE(problems.empty()) << (problems.empty() ? "" : problems[0].DebugString());
  return configuration;
}

inline v1::Configuration sample() {
  v1::Configuration configuration = parse(kSample);
  normalise(configuration);
  return configuration;
}

/// "field: value: description" lines, for matchers.
inline std::string text_of(const Problems& problems) {
  std::string text;
  for (const v1::Problem& problem : problems) {
    text += problem.field() + ": " + problem.value() + ": " + problem.description() + "\n";
  }
  return text;
}

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "nezu-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace nezu::config
