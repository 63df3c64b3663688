// What may be said on the command line of nezu-traffic.
//
// One thread, at start.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/generator/engine.h"

namespace nezu::generator {

struct Options {
  // Where and what.
  std::string left, right, clients = "198.18.0.1-198.18.0.200", servers = "198.19.0.1-198.19.0.200",
                           targets, client_ports = "10000-59999", target_ports = "7",
                           refused = "automatic";
  EngineOptions engine;
  std::string ways = "right";
  // Methods.
  std::vector<uint32_t> sizes{64, 128, 256, 512, 1024, 1280, 1518};
  std::vector<std::string> mixes;
  uint32_t mtu_frame = 1518;
  double rate = 0, most = 0, resolution = 0.5;  ///< resolution in percent
  std::vector<double> tolerated{0};             ///< percent
  double short_seconds = 2, deciding = 60, seconds = 0, step = 10;
  uint32_t repeats = 0;
  uint64_t frames = 0;  ///< of a trial; 0: by time
  // Connections.
  uint64_t connections = 10000;
  double ramp = 5000, sustain = 300, hold = 300;
  uint32_t request = 64, response = 1024;
  double retransmit = 1;
  // Floods.
  std::string recording;
  // Changes.
  std::vector<std::string> events;
  double settle = 2, find_out = 60;
  uint64_t held = 0;
  // Output.
  std::string title, json, html;
  bool quiet = false;
  std::vector<std::string> eal;
  std::string first, second;  ///< files of report and compare
};

/// Options of all methods and a subcommand for each.
void add_options(CLI::App& app, Options& options);
/// Texts to values. Throws std::invalid_argument with a sentence that names the option.
void settle(Options& options);

}  // namespace nezu::generator
