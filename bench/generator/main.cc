// nezu-traffic: offers traffic to a device and judges what comes back. Wiring only.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

#include "bench/generator/options.h"
#include "bench/generator/report.h"
#include "bench/generator/results.h"
#include "bench/generator/session.h"
#include "dataplane/device/eal.h"

#include <rte_lcore.h>

namespace {

using namespace nezu;
using namespace nezu::generator;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// Every option with its value, given or not: nobody has to guess a default of back then.
void record_options(results::Results& results, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_name() == "--help") continue;
    results::Option& one = *results.add_options();
    one.set_name(option->get_name());
    std::string value;
    for (const std::string& word : option->results()) value += (value.empty() ? "" : ",") + word;
    one.set_value(option->count() != 0 ? value : option->get_default_str());
  }
}

void draw_page(const results::Results& results, const std::string& path) {
  std::ofstream file(path);
  file << html(results);
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

int measure(Options& options, const CLI::App& app, int argc, char** argv) {
  settle(options);
  results::Results results;
  results.set_title(options.title.empty() ? "nezu-traffic" : options.title);
  results.set_version(NEZU_VERSION);
  results.set_started(utc_now());
  for (int i = 0; i < argc; ++i) results.add_command(argv[i]);
  record_options(results, app);
  const auto from = std::chrono::steady_clock::now();
  const device::Eal eal(argv[0], options.eal);
  {
    Progress progress(!options.quiet, rte_lcore_to_cpu_id(-1));
    Session session(options, progress, results);
    session.run(app.get_subcommands().front()->get_name());
  }
  results.set_took_s(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
  if (!options.json.empty()) save(results, options.json);
  if (!options.html.empty()) draw_page(results, options.html);
  return 0;
}

int run(Options& options, const CLI::App& app, int argc, char** argv) {
  const std::string method = app.get_subcommands().front()->get_name();
  if (method == "report") {
    draw_page(load(options.first), options.second);
    return 0;
  }
  if (method == "compare") {
    std::fputs(compare(load(options.first), load(options.second)).c_str(), stdout);
    return 0;
  }
  return measure(options, app, argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Offers traffic to a network device and judges what comes back."};
  Options options;
  add_options(app, options);
  char** const split = std::find(argv, argv + argc, std::string_view("--"));
  for (char** word = split + 1; split != argv + argc && word != argv + argc; ++word) {
    options.eal.emplace_back(*word);
  }
  CLI11_PARSE(app, static_cast<int>(split - argv), argv);
  try {
    return run(options, app, argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nezu-traffic: %s\n", error.what());
    return 1;
  }
}
