// replay: recorded packets through the packet path, in this process. No control plane is asked.
#include <algorithm>
#include <fstream>

#include "controlplane/config/names.h"
#include "tools/captures/capture_file.h"
#include "tools/captures/packet_origins.h"
#include "tools/captures/pcapng.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/file.h"
#include "tools/nezu/replay_network.h"
#include "tools/nezu/replay_tables.h"
#include "tools/nezu/table.h"
#include "tools/replay/replay.h"

namespace nezu::cli {
namespace {

using captures::CaptureFile;

/// One file of packets that came in: by one port that is named, or each by the port that its
/// interface is called after, and if there is none, by the first.
class Input {
 public:
  Input(const std::string& text, const Surroundings& around) : around_(&around), path_(text) {
    // A file may have "=" in its name: only what is a port's name before it counts as one.
    const size_t sign = text.find('=');
    if (const auto port = around.port(text.substr(0, sign)); sign != std::string::npos && port) {
      port_ = *port;
      path_ = text.substr(sign + 1);
    } else if (path_ != "-") {
      origins_ = std::make_unique<captures::PacketOrigins>(
          std::make_unique<std::ifstream>(path_, std::ios::binary));
    }
    file_ = std::make_unique<CaptureFile>(CaptureFile::open(path_));
    if (!file_->error().empty()) throw Failure(Exit::usage, path_ + ": " + file_->error());
    advance();
  }
  bool has_packet() const { return has_packet_; }
  const captures::Recorded& packet() const { return packet_; }
  void advance() {
    while ((has_packet_ = file_->next(packet_)) && !comes_in()) {
    }
  }

  uint16_t port() const { return port_; }
  const std::string& path() const { return path_; }
  uint64_t number() const { return file_->packets(); }
  const std::string& error() const { return file_->error(); }

 private:
  /// False: it left, as the file says. Of those that came in, by which port.
  bool comes_in() {
    if (!origins_) return true;
    const auto origin = origins_->next();
    const auto port = origin ? around_->port(origin->interface) : std::nullopt;
    port_ = port.value_or(0);
    return !port || origin->direction != captures::Direction::out;
  }

  const Surroundings* around_;
  std::string path_;
  uint16_t port_ = 0;
  std::unique_ptr<captures::PacketOrigins> origins_;
  std::unique_ptr<CaptureFile> file_;
  captures::Recorded packet_;
  bool has_packet_ = false;
};

/// Where packets go to: a file with an interface for each port, or nowhere.
class Output {
 public:
  Output(const std::string& path, const std::vector<std::string>& ports) : path_(path) {
    if (path.empty()) return;
    file_.open(path, std::ios::binary | std::ios::trunc);
    if (!file_) throw Failure(Exit::usage, "cannot write " + path);
    writer_ = std::make_unique<captures::Pcapng>(file_, "nezu replay " NEZU_VERSION);
    for (const std::string& port : ports) writer_->add_interface(port);
  }
  void add(const replay::Fate& fate, captures::Direction direction, const std::string& comment) {
    if (!writer_) return;
    writer_->write({fate.port, fate.when, fate.length, fate.bytes, direction, comment});
  }
  void close() {
    if (!writer_) return;
    file_.close();
    if (!file_) throw Failure(Exit::usage, "cannot write all of " + path_);
  }

 private:
  std::string path_;
  std::ofstream file_;
  std::unique_ptr<captures::Pcapng> writer_;
};

struct Counts {
  uint64_t received = 0, cut_off = 0, sent = 0, to_kernel = 0, dropped = 0, waiting = 0;
  uint64_t flows = 0;
  std::vector<uint64_t> received_by, sent_by;  ///< port
};

/// Counters as a table, or as JSON, which is YAML as well.
class Report {
 public:
  Report(const Session& session, const Counts& counts, const std::vector<std::string>& ports,
         const publish::Reading& reading, const tables::WorkerLine& line)
      : session_(session), counts_(counts), ports_(ports), reading_(reading), line_(line) {}

  void print() const { session_.format == Format::table ? print_tables() : print_json(); }

 private:
  void print_tables() const {
    std::ostream& out = session_.out;
    out << counts_.received << " packets in, " << counts_.sent << " out, " << counts_.to_kernel
        << " to the kernel, " << counts_.dropped << " dropped, " << counts_.waiting
        << " fragments still wait; " << counts_.flows << " flows at the end\n";
    Table ports({"port", ">in", ">out"});
    for (size_t i = 0; i < ports_.size(); ++i) {
      ports.add(
          {ports_[i], std::to_string(counts_.received_by[i]), std::to_string(counts_.sent_by[i])});
    }
    ports.print(out);
    Table reasons({"reason", ">packets", "meaning"});
    each_reason([&](size_t i, uint64_t count) {
      reasons.add({std::string(net::kReasonNames[i]), std::to_string(count),
                   std::string(net::kReasonTexts[i])});
    });
    if (!reasons.is_empty()) reasons.print(out);
    Table services({"service or server", ">flows", ">refused", ">packets in", ">packets out"});
    const auto add = [&](const std::string& name, const publish::Traffic& one) {
      services.add({name, std::to_string(one.flows_opened), std::to_string(one.flows_refused),
                    std::to_string(one.packets_to_server), std::to_string(one.packets_to_client)});
    };
    for (const auto& one : reading_.services) add(one.name, one.traffic);
    for (const auto& one : reading_.source_nats) add(one.name, one.traffic);
    for (const auto& one : reading_.servers) add(name_of_server(one), one.traffic);
    if (!services.is_empty()) services.print(out);
  }

  void print_json() const {
    std::ostream& out = session_.out;
    out << "{\"received\": " << counts_.received << ", \"cut_off\": " << counts_.cut_off
        << ", \"sent\": " << counts_.sent << ", \"to_kernel\": " << counts_.to_kernel
        << ", \"dropped\": " << counts_.dropped << ", \"waiting\": " << counts_.waiting
        << ", \"flows\": " << counts_.flows << ",\n \"ports\": [";
    const char* between = "";
    for (size_t i = 0; i < ports_.size(); ++i) {
      out << between << "{\"name\": \"" << ports_[i]
          << "\", \"received\": " << counts_.received_by[i] << ", \"sent\": " << counts_.sent_by[i]
          << "}";
      between = ", ";
    }
    out << "],\n \"reasons\": {";
    between = "";
    each_reason([&](size_t i, uint64_t count) {
      out << between << '"' << net::kReasonNames[i] << "\": " << count;
      between = ", ";
    });
    out << "}";
    print_list("services", reading_.services, [](const auto& one) { return one.name; });
    print_list("source_nats", reading_.source_nats, [](const auto& one) { return one.name; });
    print_list("servers", reading_.servers, name_of_server);
    out << "}\n";
  }

  template <typename List, typename Name>
  void print_list(const char* title, const List& list, Name name) const {
    session_.out << ",\n \"" << title << "\": [";
    const char* between = "";
    for (const auto& one : list) {
      session_.out << between << "\n  {\"name\": \"" << name(one)
                   << "\", \"flows_opened\": " << one.traffic.flows_opened
                   << ", \"flows_active\": " << one.traffic.flows_active
                   << ", \"flows_refused\": " << one.traffic.flows_refused
                   << ", \"packets_to_server\": " << one.traffic.packets_to_server
                   << ", \"packets_to_client\": " << one.traffic.packets_to_client << "}";
      between = ",";
    }
    session_.out << "]";
  }

  template <typename Visit>
  void each_reason(Visit visit) const {
    for (size_t i = 1; i < net::kReasonCount; ++i) {
      if (const uint64_t count = line_.reasons[i].read(); count != 0) visit(i, count);
    }
  }
  static std::string name_of_server(const publish::ServerReading& one) {
    return config::to_text(one.identity);
  }

  const Session& session_;
  const Counts& counts_;
  const std::vector<std::string>& ports_;
  const publish::Reading& reading_;
  const tables::WorkerLine& line_;
};

struct Wanted {
  std::string file, sent, dropped, linger = "0s";
  std::vector<std::string> inputs, failed;
  NetworkOptions network;
  uint32_t flows = 1 << 16;
};

/// The earliest of all that are left.
Input* next_of(std::vector<Input>& inputs) {
  Input* next = nullptr;
  for (Input& input : inputs) {
    if (!input.has_packet()) continue;
    if (next == nullptr || input.packet().when < next->packet().when) next = &input;
  }
  return next;
}

class Run {
 public:
  explicit Run(const Wanted& wanted)
      : tables_(read_configuration(wanted.file), wanted.failed),
        around_(surroundings_of(wanted.network, tables_.model())),
        network_(around_.links, around_.routes, around_.macs),
        sent_(wanted.sent, around_.ports),
        dropped_(wanted.dropped, around_.ports) {
    for (const std::string& text : wanted.inputs) inputs_.emplace_back(text, around_);
    around_.replay.flows = {wanted.flows, wanted.flows / 4 + 1, wanted.flows / 16 + 1};
    counts_.received_by.resize(around_.ports.size());
    counts_.sent_by.resize(around_.ports.size());
    replay_ =
        std::make_unique<replay::Replay>(tables_.region(), tables_.view(), network_, around_.replay,
                                         [this](const replay::Fate& fate) { note(fate); });
  }

  void all(std::chrono::milliseconds linger) {
    while (Input* input = next_of(inputs_)) {
      const captures::Recorded& packet = input->packet();
      ++counts_.received;
      ++counts_.received_by[input->port()];
      if (packet.bytes.size() < packet.length) ++counts_.cut_off;
      origins_.push_back({input->path(), input->number()});
      replay_->receive({packet.when, counts_.received, input->port(), packet.length, packet.bytes});
      // Early fragments are told of later; all others have had their fate.
      if (replay_->waiting() == 0) forget();
      input->advance();
    }
    replay_->pass(static_cast<uint64_t>(std::chrono::nanoseconds(linger).count()));
    sent_.close();
    dropped_.close();
  }

  void report(const Session& session) {
    counts_.waiting = replay_->waiting();
    counts_.flows = replay_->flows();
    Report(session, counts_, around_.ports, tables_.read(), tables_.region().worker(0)).print();
    if (counts_.cut_off != 0) {
      session.err << "nezu: " << counts_.cut_off
                  << " packets had been cut off when they were recorded: what is read in payload "
                     "(FTP, SIP, RTSP) was missed (tcpdump -s 0 keeps all)\n";
    }
    for (const Input& input : inputs_) {
      if (input.error().empty()) continue;
      throw Failure(Exit::incomplete,
                    input.path() + ": " + input.error() + "; what stood before was replayed");
    }
  }

 private:
  struct Origin {
    std::string path;
    uint64_t number = 0;
  };
  void forget() {
    forgotten_ += origins_.size();
    origins_.clear();
  }
  std::string origin_of(uint64_t number) const {
    if (number == 0) return "of our own";
    const Origin& origin = origins_[number - forgotten_ - 1];
    return "packet " + std::to_string(origin.number) + " of " + origin.path;
  }
  void note(const replay::Fate& fate) {
    const std::string origin = origin_of(fate.number);
    switch (fate.verdict) {
      case net::Verdict::forward:
      case net::Verdict::reply:
      case net::Verdict::across: {
        ++counts_.sent;
        ++counts_.sent_by[fate.port];
        const bool refuses = fate.reason != net::Reason::none;
        const std::string why = refuses ? std::string(net::to_string(fate.reason)) + ": " : "";
        return sent_.add(fate, captures::Direction::out, why + "for " + origin);
      }
      case net::Verdict::drop:
        ++counts_.dropped;
        return dropped_.add(fate, captures::Direction::in,
                            std::string(net::to_string(fate.reason)) + ": " + origin);
      case net::Verdict::twin:
        ++counts_.to_kernel;
        return;
      default:  // none that the engine tells
        return;
    }
  }

  ReplayTables tables_;
  Surroundings around_;
  replay::Network network_;
  std::vector<Input> inputs_;
  Output sent_, dropped_;
  Counts counts_;
  std::vector<Origin> origins_;  ///< of packets whose fate may not be known
  uint64_t forgotten_ = 0;       ///< packets before them
  std::unique_ptr<replay::Replay> replay_;
};

}  // namespace

void add_replay(CLI::App& app, Session& session) {
  auto wanted = std::make_shared<Wanted>();
  auto* command = app.add_subcommand("replay", "Recorded packets through the packet path, here");
  command->add_option("-f,--file", wanted->file, "Configuration, as apply takes it")->required();
  command
      ->add_option("packets", wanted->inputs,
                   "pcap or pcapng, as [PORT=]FILE; default: by its interfaces, or the first port")
      ->required();
  command->add_option("--sent", wanted->sent, "pcapng file for what leaves");
  command->add_option("--dropped", wanted->dropped, "pcapng file for what ends here");
  // Each takes one word, so that packets may stand behind it.
  const auto add_many = [command](const char* name, std::vector<std::string>& to,
                                  const char* help) {
    command->add_option(name, to, help)->allow_extra_args(false);
  };
  add_many("--link", wanted->network.links,
           "PORT[.VLAN][,address=A/N][,mac=M][,mtu=N][,side=clients|servers]");
  add_many("--route", wanted->network.routes, "PREFIX=GATEWAY or PREFIX=LINK");
  add_many("--neighbour", wanted->network.neighbours, "ADDRESS=MAC");
  add_many("--failed", wanted->failed, "A server that counts as failed");
  command->add_option("--linger", wanted->linger, "Time that passes after the last packet")
      ->capture_default_str();
  command->add_option("--flows", wanted->flows, "Room for flows")
      ->check(CLI::Range(16, 1 << 24))
      ->capture_default_str();
  action(command, session, [wanted, &session] {
    const auto linger = parse_duration(wanted->linger);
    Run run(*wanted);
    run.all(linger);
    run.report(session);
    return Exit::ok;
  });
}

}  // namespace nezu::cli
