// explain: what would become of a packet in the running data plane, stage by stage.
#include <algorithm>

#include "nezu/v1/explain.pb.h"
#include "tools/captures/capture_file.h"
#include "tools/nezu/commands.h"
#include "tools/nezu/described.h"

namespace nezu::cli {
namespace {

struct Wanted {
  DescribedPacket packet;
  std::string port, hex, file;
  uint64_t number = 1;
  const CLI::Option* timeout = nullptr;
};

/// The data plane's part of a timeout, in ms; in the rest the answer arrives, which may say who was
/// late.
uint32_t share_of(const std::string& timeout) {
  const auto share = parse_duration(timeout) * 9 / 10;
  return static_cast<uint32_t>(std::clamp<int64_t>(share.count(), 100, 60'000));
}

std::vector<uint8_t> frame_in(const std::string& path, uint64_t number) {
  captures::CaptureFile file = captures::CaptureFile::open(path);
  captures::Recorded packet;
  for (uint64_t i = 0; i < number; ++i) {
    if (file.next(packet)) continue;
    throw Failure(
        Exit::usage,
        path + ": " +
            (file.error().empty() ? "there are " + std::to_string(file.packets()) +
                                        " packets, and none of number " + std::to_string(number)
                                  : file.error()));
  }
  if (packet.length > packet.bytes.size()) {
    throw Failure(Exit::usage, path + ": packet " + std::to_string(number) +
                                   " was cut off when it was recorded; record it whole (-s 0)");
  }
  return {packet.bytes.begin(), packet.bytes.end()};
}

std::vector<uint8_t> frame_of(const Wanted& wanted) {
  const int ways = static_cast<int>(!wanted.packet.protocol.empty()) +
                   static_cast<int>(!wanted.hex.empty()) + static_cast<int>(!wanted.file.empty());
  if (ways != 1) {
    throw Failure(Exit::usage,
                  "describe a packet (tcp 192.0.2.7:40000 203.0.113.10:80), or give one by --frame "
                  "or --pcap");
  }
  if (!wanted.hex.empty()) return frame_of_hex(wanted.hex);
  if (!wanted.file.empty()) return frame_in(wanted.file, wanted.number);
  if (wanted.packet.to.empty()) {
    throw Failure(Exit::usage, "a packet has a source and a destination: " +
                                   wanted.packet.protocol + " FROM TO");
  }
  return frame_of(wanted.packet);
}

/// "choose-way".
std::string stage_text(v1::ExplainStage stage) {
  std::string text = name_of(stage);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

void print_steps(const Session& session, const v1::ExplainResponse& response) {
  constexpr size_t kWidth = 12;
  std::string last;
  for (const v1::ExplainStep& step : response.steps()) {
    std::string stage = stage_text(step.stage());
    if (stage == last) {
      stage.clear();
    } else {
      last = stage;
    }
    stage.resize(std::max(kWidth, stage.size() + 1), ' ');
    session.out << stage << step.text() << '\n';
  }
  session.out << "generation " << response.generation() << "; nothing was changed or counted\n";
}

Exit explain(Session& session, const Wanted& wanted) {
  const std::vector<uint8_t> frame = frame_of(wanted);
  v1::ExplainRequest request;
  request.set_port(wanted.port);
  request.set_frame(frame.data(), frame.size());
  if (wanted.timeout->count() > 0) request.set_timeout_ms(share_of(session.timeout));
  const auto response = session.client().call<v1::ExplainResponse>(request);
  print(session, response, [&] { print_steps(session, response); });
  return Exit::ok;
}

}  // namespace

void add_explain(CLI::App& app, Session& session) {
  auto wanted = std::make_shared<Wanted>();
  wanted->timeout = app.get_option("--timeout");
  DescribedPacket& packet = wanted->packet;
  auto* command = app.add_subcommand(
      "explain", "What would become of a packet, stage by stage; changes nothing");
  command->add_option("--port", wanted->port, "Port by which it comes in")->required();
  command->add_option("protocol", packet.protocol, "tcp, udp, or icmp for a ping")
      ->check(CLI::IsMember({"tcp", "udp", "icmp"}));
  command->add_option("from", packet.from, "ADDRESS:PORT; of a ping ADDRESS");
  command->add_option("to", packet.to, "ADDRESS:PORT; of a ping ADDRESS");
  command->add_option("--flags", packet.flags, "Of TCP, as syn,ack; default: syn");
  command->add_option("--vlan", packet.vlan, "Tag of that VLAN");
  command->add_option("--size", packet.size, "Bytes of payload; default: 0");
  command->add_option("--ttl", packet.ttl, "TTL or hop limit")->capture_default_str();
  command->add_option("--mac", packet.mac, "Its destination; default: the port's own");
  command->add_option("--frame", wanted->hex, "The whole frame, in hexadecimal digits");
  command->add_option("--pcap", wanted->file, "File of frames (pcap, pcapng); - is the input");
  command->add_option("--packet", wanted->number, "Number of the packet in it, from 1")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  action(command, session, [wanted, &session] { return explain(session, *wanted); });
}

}  // namespace nezu::cli
