// capture: packets of the running data plane, as they come; into a file, or one a line.
#include <csignal>
#include <fstream>

#include "dataplane/net/text.h"
#include "nezu/v1/capture.pb.h"
#include "tools/captures/pcapng.h"
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Ctrl-C ends the capture in good order; a second one the program.
class Interrupts {
 public:
  Interrupts() {
    interrupted = 0;
    for (size_t i = 0; i < 2; ++i) {
      struct sigaction action {};
      action.sa_handler = [](int) { interrupted = 1; };
      action.sa_flags = static_cast<int>(SA_RESETHAND);
      sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  ~Interrupts() {
    for (size_t i = 0; i < 2; ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM};
  struct sigaction before_[2];
};

struct Wanted {
  std::string file;
  std::vector<std::string> words;
  bool before = false, after = false, drops = false;
  uint64_t count = 0;
  uint32_t seconds = 0, snap = 0, rate = 0, looks = 0;

  v1::CaptureRequest message() const {
    v1::CaptureRequest request;
    for (const std::string& word : words) {
      *request.mutable_filter() += (request.filter().empty() ? "" : " ") + word;
    }
    if (before) request.add_points(v1::CAPTURE_POINT_BEFORE);
    if (after) request.add_points(v1::CAPTURE_POINT_AFTER);
    if (drops) request.add_points(v1::CAPTURE_POINT_DROP);
    request.set_count(count);
    request.set_seconds(seconds);
    request.set_snap(snap);
    request.set_rate(rate);
    request.set_looks(looks);
    return request;
  }
};

bool is_leaving(const v1::CapturedPacket& packet) {
  return packet.point() == v1::CAPTURE_POINT_AFTER;
}

std::string point_text(const v1::CapturedPacket& packet) {
  return packet.point() == v1::CAPTURE_POINT_DROP ? "drop" : is_leaving(packet) ? "out" : "in";
}

/// What became of it: "forwarded", "dropped: no_server".
std::string fate_text(const v1::CapturedPacket& packet) {
  return name_of(packet.fate()) + (packet.reason().empty() ? "" : ": " + packet.reason());
}

std::span<const uint8_t> bytes_of(const v1::CapturedPacket& packet) {
  return {reinterpret_cast<const uint8_t*>(packet.bytes().data()), packet.bytes().size()};
}

/// Where packets go to.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void begin(const v1::CaptureResponse& first) = 0;
  virtual void add(const v1::CapturedPacket& packet) = 0;
  /// False: nothing more can be written.
  virtual bool flush() = 0;
};

class Lines final : public Sink {
 public:
  explicit Lines(Session& session) : session_(session) {}
  void begin(const v1::CaptureResponse& first) override {
    for (const v1::CapturePort& port : first.ports()) names_[port.number()] = port.name();
  }
  void add(const v1::CapturedPacket& packet) override {
    if (session_.format != Format::table) {
      session_.out << json_line(packet) << '\n';
      return;
    }
    const auto name = names_.find(packet.port());
    const std::string frame = net::describe(bytes_of(packet));
    const size_t ethernet = frame.find(" / ");  // addresses of links; left out
    session_.out << time_of_day(packet) << ' '
                 << (name != names_.end() ? name->second : std::to_string(packet.port())) << ' '
                 << point_text(packet) << "  "
                 << (ethernet == std::string::npos ? frame : frame.substr(ethernet + 3));
    const bool is_usual = packet.fate() == v1::CAPTURE_FATE_FORWARDED;
    session_.out << (is_usual ? "" : "  [" + fate_text(packet) + "]") << '\n';
  }
  bool flush() override { return session_.out.flush().good(); }

 private:
  static std::string time_of_day(const v1::CapturedPacket& packet) {
    const std::time_t seconds = packet.time().seconds();
    std::tm parts{};
    localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%02d:%02d:%02d.%06d", parts.tm_hour, parts.tm_min,
                  parts.tm_sec, packet.time().nanos() / 1000);
    return text.data();
  }

  Session& session_;
  std::map<uint32_t, std::string> names_;
};

/// The file appears with the first message: a request that is refused leaves none.
class File final : public Sink {
 public:
  File(const std::string& path, std::ostream& standard) : path_(path), stream_(standard) {}

  void begin(const v1::CaptureResponse& first) override {
    if (path_ != "-") {
      file_.open(path_, std::ios::binary | std::ios::trunc);
      if (!file_) throw Failure(Exit::usage, "cannot write " + path_);
    }
    writer_ = std::make_unique<captures::Pcapng>(path_ == "-" ? stream_ : file_,
                                                 "nezu capture " NEZU_VERSION);
    for (const v1::CapturePort& port : first.ports()) add_port(port.number(), port.name());
  }
  void add(const v1::CapturedPacket& packet) override {
    if (!interfaces_.contains(packet.port())) {
      add_port(packet.port(), "port" + std::to_string(packet.port()));
    }
    captures::Written written;
    written.interface = interfaces_[packet.port()];
    written.when = static_cast<uint64_t>(packet.time().seconds()) * 1'000'000'000 +
                   static_cast<uint64_t>(packet.time().nanos());
    written.length = packet.length();
    written.bytes = bytes_of(packet);
    written.direction = is_leaving(packet) ? captures::Direction::out : captures::Direction::in;
    const std::string comment =
        fate_text(packet) + " (worker " + std::to_string(packet.worker()) + ")";
    written.comment = comment;
    writer_->write(written);
  }
  bool flush() override {
    std::ostream& to = path_ == "-" ? stream_ : file_;
    if (to.flush().good()) return true;
    if (path_ == "-") return false;  // whoever read it has gone
    throw Failure(Exit::usage, "cannot write all of " + path_);
  }

 private:
  void add_port(uint32_t number, const std::string& name) {
    interfaces_[number] = writer_->add_interface(name);
  }

  std::string path_;
  std::ofstream file_;
  std::ostream& stream_;
  std::unique_ptr<captures::Pcapng> writer_;
  std::map<uint32_t, uint32_t> interfaces_;  ///< by port
};

std::string packets_text(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

void summarise(std::ostream& err, uint64_t told, const v1::CaptureResponse& last) {
  err << packets_text(told) << " captured\n";
  if (last.passed_over() != 0) {
    err << packets_text(last.passed_over())
        << " matched beyond what was copied; --rate allows more, --snap makes copies smaller\n";
  }
  if (last.not_looked_at() != 0) {
    err << packets_text(last.not_looked_at()) << " were not looked at; --looks allows more\n";
  }
}

Exit capture(Session& session, const Wanted& wanted) {
  const Interrupts interrupts;
  std::unique_ptr<Sink> sink;
  if (wanted.file.empty()) {
    sink = std::make_unique<Lines>(session);
  } else {
    sink = std::make_unique<File>(wanted.file, session.out);
  }
  v1::CaptureResponse response, last;
  uint64_t told = 0;
  bool has_begun = false;
  session.client().stream(
      wanted.message(), response,
      [&] {
        if (!has_begun) sink->begin(response);
        has_begun = true;
        for (const v1::CapturedPacket& packet : response.packets()) sink->add(packet);
        told += static_cast<uint64_t>(response.packets_size());
        response.clear_packets();
        last = response;
        return sink->flush() && interrupted == 0;
      },
      std::chrono::milliseconds{0});
  summarise(session.err, told, last);
  return Exit::ok;
}

}  // namespace

void add_capture(CLI::App& app, Session& session) {
  auto wanted = std::make_shared<Wanted>();
  auto* command = app.add_subcommand("capture", "Packets of the running data plane, until Ctrl-C");
  command->add_option("filter", wanted->words,
                      "As of tcpdump, and service NAME, reason NAME, interface NAME, dropped");
  command->add_option("-w,--write", wanted->file, "pcapng file; - is the standard output");
  command->add_flag("--before", wanted->before, "As they come in; this is the default");
  command->add_flag("--after", wanted->after, "As they leave");
  command->add_flag("--drops", wanted->drops, "Those that end here, with the reason");
  command->add_option("-c,--count", wanted->count, "End after so many packets");
  command->add_option("--seconds", wanted->seconds, "End after so many seconds");
  command->add_option("--snap", wanted->snap, "Bytes kept of each; default: all, up to 9280");
  command->add_option("--rate", wanted->rate,
                      "Packets that a worker copies a second; default: 10000");
  command->add_option("--looks", wanted->looks,
                      "Packets that a worker looks at a second; default: 500000");
  action(command, session, [wanted, &session] { return capture(session, *wanted); });
}

}  // namespace nezu::cli
