// The command line without a control plane: exit codes, errors, completion, the archive.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "nezu/v1/explain.grpc.pb.h"
#include "tools/nezu/archive.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

struct Ran {
  int status;
  std::string out;
  std::string err;
};

Ran nezu(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Session session(out, err);
  const int status = run(arguments, session);
  return {status, out.str(), err.str()};
}

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/nezu-cli-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

bool holds(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char bytes[4096];
  for (size_t got; (got = ::fread(bytes, 1, sizeof bytes, pipe)) > 0;) {
    text.append(bytes, got);
  }
  ::pclose(pipe);
  return text;
}

TEST(Command, version_and_help_succeed) {
  EXPECT_EQ(nezu({"version"}).out.substr(0, 5), "nezu ");
  const Ran help = nezu({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* name : {"apply", "drain", "flows", "top", "support"}) {
    EXPECT_TRUE(holds(help.out, name)) << name;
  }
}

TEST(Command, usage_errors_are_2) {
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{},
        {"dance"},
        {"apply"},
        {"apply", "-f", "/does/not/exist"},
        {"-o", "xml", "get"},
        {"set", "state", "10.0.0.1:80", "asleep"},
        {"drain", "10.0.0.1:http"},
        {"flows", "end"},
        {"flows", "end", "--all", "--client", "192.0.2.1"},
        {"service", "update", "shop"},
        {"stats", "weather"},
        {"top", "-d", "soon", "--once"},
        {"set", "state", "10.0.0.1:80", "ready", "--deadline", "3s"}}) {
    const Ran ran = nezu(bad);
    EXPECT_EQ(ran.status, 2) << testing::PrintToString(bad) << ran.err;
    EXPECT_FALSE(ran.err.empty()) << testing::PrintToString(bad);
  }
}

TEST(Command, no_socket_says_which_and_what_to_do) {
  const Ran ran = nezu({"--server", "unix:/nowhere/api.sock", "get"});
  EXPECT_EQ(ran.status, 3);
  EXPECT_TRUE(holds(ran.err, "there is no socket /nowhere/api.sock")) << ran.err;
  EXPECT_TRUE(holds(ran.err, "systemctl status nezu-controlplane"));
}

TEST(Command, a_socket_without_a_listener_says_so) {
  const Folder folder;
  const std::string path = folder / "api.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const Ran ran = nezu({"stats", "--server", "unix:" + path});
  EXPECT_EQ(ran.status, 3);
  EXPECT_TRUE(holds(ran.err, "nobody listens on ")) << ran.err;
  ::close(fd);
}

/// A control plane that has a worker who says nothing.
class Late final : public v1::ExplainService::Service {
 public:
  explicit Late(const std::string& path) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                       v1::ExplainResponse*) override {
    timeout_ms = request->timeout_ms();
    return {grpc::StatusCode::DEADLINE_EXCEEDED, text};
  }
  std::atomic<uint32_t> timeout_ms = 0;
  std::string text = "Worker 4 did not say in time what it knows; it is very busy.";

 private:
  std::unique_ptr<grpc::Server> server_;
};

TEST(Command, explain_waits_as_long_as_was_asked_and_tells_who_was_late) {
  const Folder folder;
  Late late(folder / "api.sock");
  const auto explain = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--server", "unix:" + (folder / "api.sock"), "explain", "--port",
                             "front", "tcp", "192.0.2.7:40000", "203.0.113.10:80"});
    return nezu(more);
  };
  EXPECT_EQ(explain({}).err, "nezu: " + late.text + "\n");
  EXPECT_EQ(late.timeout_ms, 0u) << "the control plane's own";
  EXPECT_EQ(explain({"--timeout", "20s"}).status, static_cast<int>(Exit::incomplete));
  EXPECT_EQ(late.timeout_ms, 18000u) << "it must answer before nobody waits any more";
  explain({"--timeout", "5m"});
  EXPECT_EQ(late.timeout_ms, 60000u);
  late.text = "Deadline Exceeded";
  EXPECT_TRUE(holds(explain({}).err, "--timeout allows more"));
}

TEST(Command, tcp_needs_certificates) {
  const Ran ran = nezu({"--server", "192.0.2.1:7000", "get"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_TRUE(holds(ran.err, "--tls-ca"));
}

TEST(Command, completion_is_shell_and_completes) {
  const Folder folder;
  for (const char* shell : {"bash", "zsh"}) {
    std::ofstream(folder / shell) << nezu({"completion", shell}).out;
    EXPECT_EQ(output_of("bash -n " + (folder / shell)), "") << shell;
  }
  const auto complete = [&](const std::string& line) {
    return output_of("bash -c 'source " + (folder / "bash") + "; COMP_LINE=\"" + line +
                     "\"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($COMP_LINE); "
                     "[ \"${COMP_LINE: -1}\" = \" \" ] && COMP_WORDS+=(\"\"); "
                     "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _nezu; echo \"${COMPREPLY[@]}\"'");
  };
  EXPECT_EQ(complete("nezu app"), "apply\n");
  EXPECT_TRUE(holds(complete("nezu pool "), "create")) << complete("nezu pool ");
  EXPECT_EQ(complete("nezu apply --exp"), "--expect-revision\n");
  EXPECT_EQ(complete("nezu -o j"), "json\n");
  EXPECT_EQ(complete("nezu set state 10.0.0.1:80 dis"), "disabled\n");
}

TEST(ArchiveTest, tar_reads_it) {
  const Folder folder;
  const std::string path = folder / "bundle.tar.gz";
  Archive archive(path);
  archive.add("bundle/one.txt", "first\n");
  archive.add("bundle/host/two.txt", std::string(100'000, 'x'));
  archive.add("bundle/empty.txt", "");
  archive.finish();
  EXPECT_EQ(output_of("tar tzf " + path),
            "bundle/one.txt\nbundle/host/two.txt\nbundle/empty.txt\n");
  EXPECT_EQ(output_of("tar xzOf " + path + " bundle/one.txt"), "first\n");
  EXPECT_EQ(output_of("tar xzOf " + path + " bundle/host/two.txt | wc -c"), "100000\n");
  EXPECT_EQ(output_of("stat -c %a " + path), "600\n");
  EXPECT_THROW(Archive{path}, Failure) << "it is there already";
}

TEST(Command, support_works_without_a_control_plane) {
  const Folder folder;
  const std::string path = folder / "bundle.tar.gz";
  const Ran ran = nezu({"support", "-f", path, "--server", "unix:/nowhere/api.sock"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(holds(ran.err, "there is no socket"));
  const std::string list = output_of("tar tzf " + path);
  EXPECT_TRUE(holds(list, "/host/addresses.txt") && holds(list, "/errors.txt")) << list;
}

/// Beginnings and ends over two files, a start of the data plane between them, and a gap.
TEST(NatLog, SaysWhoHadAPort) {
  const Folder folder;
  std::ofstream(folder / "nat.log.1")
      << "2026-03-01T12:00:00.000001Z start\n"
         "2026-03-01T12:00:01.000000Z open udp 10.0.1.5:5353 203.0.113.1:5001 198.51.100.7:53\n"
         "2026-03-01T12:00:02.000000Z open tcp 10.0.1.6:40000 203.0.113.1:5001 198.51.100.8:80\n"
         "2026-03-01T12:00:03.000000Z open tcp 10.0.1.7:40000 203.0.113.2:6001 198.51.100.8:80\n"
         "2026-03-01T12:00:04.000000Z close udp 10.0.1.5:5353 203.0.113.1:5001 198.51.100.7:53\n";
  std::ofstream(folder / "nat.log")
      << "2026-03-01T12:01:00.000000Z start\n"
         "2026-03-01T12:01:00.000000Z kept tcp 10.0.1.6:40000 203.0.113.1:5001 198.51.100.8:80\n"
         "2026-03-01T12:01:05.000000Z lost 3\n"
         "2026-03-01T12:01:06.000000Z close tcp 10.0.1.6:40000 203.0.113.1:5001 198.51.100.8:80\n"
         "2026-03-01T12:01:07.000000Z open udp [fd00::5]:9 [2001:db8::1]:5001 [2001:db8::7]:53\n";
  const std::string file = folder / "nat.log";
  const auto ask = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"nat-log", "-o", "json", "-f", file};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = nezu(words);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_TRUE(holds(ran.err, "3 records were lost"));
    return ran.out;
  };
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines(ask({})), 4);
  const std::string udp = ask({"--snat", "203.0.113.1:5001", "--at", "2026-03-01T12:00:01"});
  EXPECT_EQ(lines(udp), 1) << udp;
  EXPECT_TRUE(holds(udp, R"("since": "2026-03-01T12:00:01.000000Z")")) << udp;
  EXPECT_TRUE(holds(udp, R"("until": "2026-03-01T12:00:04.000000Z")")) << udp;
  EXPECT_TRUE(holds(udp, "10.0.1.5:5353")) << udp;
  // One that outlived the restart, one that did not, and one that is there still.
  const std::string kept = ask({"--inside", "10.0.1.6"});
  EXPECT_TRUE(holds(kept, R"("since": "2026-03-01T12:00:02)")) << kept;
  EXPECT_TRUE(holds(kept, R"("until": "2026-03-01T12:01:06)")) << kept;
  EXPECT_TRUE(holds(ask({"--snat", "203.0.113.2"}), R"("until": "2026-03-01T12:01:00)"));
  EXPECT_TRUE(holds(ask({"--outside", "[2001:db8::7]:53"}), R"("until": "")"));
  EXPECT_EQ(lines(ask({"--snat", "203.0.113.9"})), 0);
  EXPECT_EQ(nezu({"nat-log", "-f", folder / "missing"}).status, 2);
  std::ofstream(folder / "other") << "something else\nentirely\n";
  EXPECT_EQ(nezu({"nat-log", "-f", folder / "other"}).status, 2);
}

}  // namespace
}  // namespace nezu::cli
