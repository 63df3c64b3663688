// support: one bundle of all that helps to find a fault, also when half of it cannot be had.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "controlplane/config/yaml.h"
#include "nezu/v1/flows.pb.h"
#include "nezu/v1/state.pb.h"
#include "nezu/v1/system.pb.h"
#include "tools/nezu/archive.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

struct State {
  std::string file;
  bool without_flows = false;
};

struct HostFact {
  const char* name;
  const char* command;
};
/// What the host knows; each command is cut off after 10 s.
constexpr HostFact kHostFacts[] = {
    {"host/os-release.txt", "cat /etc/os-release; uname -a; uptime"},
    {"host/cpu.txt", "lscpu"},
    {"host/memory.txt", "cat /proc/meminfo; grep -r . /sys/kernel/mm/hugepages; mount"},
    {"host/command-line.txt", "cat /proc/cmdline"},
    {"host/links.txt", "ip -d -s link"},
    {"host/addresses.txt", "ip addr"},
    {"host/routes.txt", "ip route show table all; ip -6 route show table all; ip rule"},
    {"host/neighbours.txt", "ip neigh; ip -6 neigh"},
    {"host/sockets.txt", "ss -s; ss -xlp; ss -tlnp"},
    {"host/processes.txt", "ps -eLo pid,tid,psr,stat,pcpu,rss,comm,args | grep -E 'PID|nezu'"},
    {"host/files.txt", "ls -la /run/nezu /var/lib/nezu /dev/hugepages/nezu"},
    {"host/limits.txt", "sysctl -a 2>/dev/null | grep -E '^(net.core|net.ipv4.(neigh|ping)|vm)'"},
    {"host/journal-nezu.txt",
     "journalctl --no-pager -n 5000 -u nezu-controlplane -u nezu-dataplane"},
    {"host/kernel.txt", "dmesg --ctime | tail -n 1000"},
};

std::string output_of(const std::string& command) {
  // By its standard input, so that quotes in the command mean what they say.
  const std::string script =
      "timeout 10 sh 2>&1 <<'END_OF_COMMAND'\n" + command + "\nEND_OF_COMMAND\n";
  FILE* pipe = ::popen(script.c_str(), "r");
  if (pipe == nullptr) {
    return "cannot run: " + command + "\n";
  }
  std::string text = "$ " + command + "\n";
  std::array<char, 65536> bytes{};
  for (size_t got; (got = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    text.append(bytes.data(), got);
  }
  ::pclose(pipe);
  return text;
}

class Bundle {
 public:
  Bundle(Session& session, const std::string& path, std::string folder)
      : session_(session), archive_(path), folder_(std::move(folder)) {}

  void add(const std::string& name, const std::string& content) {
    archive_.add(folder_ + "/" + name, content);
  }
  /// What fails becomes a line in errors.txt: the rest is still worth having.
  void attempt(const std::string& name, const std::function<std::string()>& content) {
    try {
      add(name, content());
    } catch (const std::exception& error) {
      errors_ += name + ": " + error.what() + "\n";
    }
  }
  template <typename Response>
  void ask(const std::string& name, const google::protobuf::Message& request) {
    attempt(name, [&] {
      return config::to_yaml(session_.client().call<Response>(request), config::Detail::all);
    });
  }
  void finish() {
    add("errors.txt", errors_.empty() ? "none\n" : errors_);
    archive_.finish();
  }
  const std::string& errors() const { return errors_; }

 private:
  Session& session_;
  Archive archive_;
  const std::string folder_;
  std::string errors_;
};

std::string flow_sample(Session& session) {
  v1::ListFlowsRequest request;
  request.set_limit(1000);
  v1::ListFlowsResponse response;
  std::string lines;
  session.client().stream(
      request, response,
      [&] {
        for (const v1::Flow& flow : response.flows()) {
          lines += json_line(flow) + "\n";
        }
        return true;
      },
      std::chrono::seconds{10});
  return lines;
}

std::string present_state(Session& session) {
  v1::WatchResponse response;
  std::string lines;
  session.client().stream(
      v1::WatchRequest(), response,
      [&] {
        lines += json_line(response) + "\n";
        return !response.initial_complete();
      },
      std::chrono::seconds{10});
  return lines;
}

std::string checks(Session& session) {
  std::string text;
  const auto servers =
      session.client().call<v1::ListServerStatusResponse>(v1::ListServerStatusRequest());
  for (const auto& server : servers.servers()) {
    v1::ExplainCheckRequest request;
    *request.mutable_server() = server.server();
    try {
      text += json_line(session.client().call<v1::ExplainCheckResponse>(request)) + "\n";
    } catch (const Failure& failure) {
      text += server_text(server.server()) + ": " + failure.what() + "\n";
    }
  }
  return text;
}

void collect(Session& session, const State& state, Bundle& bundle) {
  bundle.add("nezu.txt",
             std::string("nezu ") + NEZU_VERSION + ", asked " + session.target.server + "\n");
  bundle.ask<v1::System>("system.yaml", v1::GetSystemRequest());
  bundle.ask<v1::GetResponse>("configuration.yaml", v1::GetRequest());
  v1::ListHistoryRequest history;
  history.set_limit(100);
  bundle.ask<v1::ListHistoryResponse>("history.yaml", history);
  bundle.ask<v1::ListServerStatusResponse>("servers.yaml", v1::ListServerStatusRequest());
  bundle.ask<v1::Statistics>("statistics-1.yaml", v1::GetStatisticsRequest());
  bundle.attempt("checks.json", [&] { return checks(session); });
  bundle.attempt("state.json", [&] { return present_state(session); });
  if (!state.without_flows) {
    bundle.attempt("flows.json", [&] { return flow_sample(session); });
  }
  for (const HostFact& fact : kHostFacts) {
    bundle.attempt(fact.name, [&] { return output_of(fact.command); });
  }
  bundle.ask<v1::Statistics>("statistics-2.yaml", v1::GetStatisticsRequest());
}

Exit support(Session& session, const State& state) {
  char stamp[32];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
  char host[65] = "host";
  ::gethostname(host, sizeof host - 1);
  const std::string folder = std::string("nezu-support-") + host + "-" + stamp;
  const std::string path = state.file.empty() ? folder + ".tar.gz" : state.file;
  Bundle bundle(session, path, folder.substr(0, 60));
  collect(session, state, bundle);
  bundle.finish();
  session.out << path << '\n';
  if (!bundle.errors().empty()) {
    session.err << "nezu: what could not be had is told in errors.txt of the bundle:\n"
                << bundle.errors();
  }
  return Exit::ok;
}

}  // namespace

void add_support(CLI::App& app, Session& session) {
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand(
      "support", "Write one bundle of all that helps to find a fault; works without a daemon too");
  command->add_option("-f,--file", state->file, "Where to; default: nezu-support-HOST-TIME.tar.gz");
  command->add_flag("--without-flows", state->without_flows,
                    "Leave out flows, which hold addresses of clients");
  action(command, session, [state, &session] { return support(session, *state); });
}

}  // namespace nezu::cli
