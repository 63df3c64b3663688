#include "tools/nezu/described.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <map>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"
#include "tools/nezu/failure.h"
#include "tools/nezu/text.h"

namespace nezu::cli {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint32_t kMostPayload = 1900;
constexpr uint32_t kSequence = 1;
constexpr uint16_t kWindow = 64240;

struct End {
  net::Address address;
  uint16_t port = 0;
};

End end_of(const std::string& text, bool has_port) {
  const AddressPort parsed = parse_address_port(text);
  const auto address = net::parse_address(parsed.address);
  if (!address) throw Failure(Exit::usage, text + " has no IPv4 or IPv6 address");
  if (has_port != (parsed.port != 0)) {
    throw Failure(Exit::usage, text + (has_port ? " has no port: give ADDRESS:PORT"
                                                : " has a port, which pings have not"));
  }
  return {*address, static_cast<uint16_t>(parsed.port)};
}

template <typename Header>
void append(Bytes& to, const Header& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  to.insert(to.end(), bytes, bytes + sizeof header);
}

uint8_t flags_of(const std::string& text) {
  static const std::map<std::string, uint8_t> kFlags = {
      {"fin", net::kTcpFin}, {"syn", net::kTcpSyn}, {"rst", net::kTcpRst},
      {"psh", net::kTcpPsh}, {"ack", net::kTcpAck}, {"urg", net::kTcpUrg}};
  if (text.empty()) return net::kTcpSyn;
  uint8_t flags = 0;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const auto flag = kFlags.find(text.substr(from, comma - from));
    if (flag == kFlags.end()) {
      throw Failure(Exit::usage, "\"" + text +
                                     "\" has a flag that is none of fin, syn, rst, psh, "
                                     "ack and urg; write syn,ack");
    }
    flags |= flag->second;
    from = comma + 1;
  }
  return flags;
}

/// Puts the sum at `at` of a transport header and its payload.
void sum_up(Bytes& transport, size_t at, net::Sum pseudo, bool is_udp) {
  const uint16_t sum = net::checksum_of(net::add(pseudo, transport.data(), transport.size()));
  net::store(transport.data() + at, is_udp ? net::udp_form(sum) : sum);
}

class Writer {
 public:
  explicit Writer(const DescribedPacket& packet)
      : packet_(packet),
        has_ports_(packet.protocol != "icmp"),
        from_(end_of(packet.from, has_ports_)),
        to_(end_of(packet.to, has_ports_)) {
    if (from_.address.is_v4() != to_.address.is_v4()) {
      throw Failure(Exit::usage,
                    packet.from + " and " + packet.to + " are of different IP versions");
    }
    if (!packet.flags.empty() && packet.protocol != "tcp") {
      throw Failure(Exit::usage, "only TCP has flags");
    }
    if (packet.size > kMostPayload) {
      throw Failure(Exit::usage,
                    "a payload has at most " + std::to_string(kMostPayload) + " bytes");
    }
  }

  Bytes frame() const {
    Bytes frame = ethernet();
    const Bytes transport = this->transport();
    append_ip(frame, static_cast<uint16_t>(transport.size()));
    frame.insert(frame.end(), transport.begin(), transport.end());
    return frame;
  }

 private:
  bool is_v4() const { return from_.address.is_v4(); }
  uint8_t number() const {
    if (packet_.protocol == "tcp") return 6;
    if (packet_.protocol == "udp") return 17;
    return is_v4() ? 1 : 58;
  }

  Bytes ethernet() const {
    net::Ethernet ethernet{};
    if (!packet_.mac.empty()) {
      const auto mac = net::parse_mac(packet_.mac);
      if (!mac) throw Failure(Exit::usage, packet_.mac + " is no MAC address");
      ethernet.destination = *mac;
    }
    ethernet.source = {{2, 0, 0, 0, 0, 1}};
    const uint16_t type = is_v4() ? net::kEtherIpv4 : net::kEtherIpv6;
    ethernet.type = packet_.vlan ? net::kEtherVlan : type;
    Bytes frame;
    append(frame, ethernet);
    if (packet_.vlan) {
      if (*packet_.vlan > 4095) throw Failure(Exit::usage, "a VLAN has a number up to 4095");
      net::Vlan vlan{};
      vlan.control = static_cast<uint16_t>(*packet_.vlan);
      vlan.type = type;
      append(frame, vlan);
    }
    return frame;
  }

  void append_ip(Bytes& frame, uint16_t payload) const {
    if (packet_.ttl > 255) throw Failure(Exit::usage, "a TTL is at most 255");
    if (is_v4()) {
      net::Ipv4 ip{};
      ip.version_length = 0x45;
      ip.total_length = static_cast<uint16_t>(sizeof ip + payload);
      ip.fragment = net::Ipv4::kDontFragment;
      ip.ttl = static_cast<uint8_t>(packet_.ttl);
      ip.protocol = number();
      ip.source.set_raw(from_.address.v4_raw());
      ip.destination.set_raw(to_.address.v4_raw());
      ip.checksum.set_raw(net::checksum_of(net::add(0, &ip, sizeof ip)));
      return append(frame, ip);
    }
    net::Ipv6 ip{};
    ip.version_class_label = 6u << 28;
    ip.payload_length = payload;
    ip.next = number();
    ip.hop_limit = static_cast<uint8_t>(packet_.ttl);
    ip.source = from_.address.bytes;
    ip.destination = to_.address.bytes;
    append(frame, ip);
  }

  net::Sum pseudo(uint32_t length) const {
    const size_t bytes = is_v4() ? 4 : 16;
    std::array<uint8_t, 32> both{};
    std::memcpy(both.data(), from_.address.bytes.data() + 16 - bytes, bytes);
    std::memcpy(both.data() + bytes, to_.address.bytes.data() + 16 - bytes, bytes);
    return net::pseudo_header(both.data(), 2 * bytes, number(), length);
  }

  Bytes transport() const {
    if (packet_.protocol == "tcp") return tcp();
    if (packet_.protocol == "udp") return udp();
    return ping();
  }
  void pad(Bytes& bytes) const { bytes.resize(bytes.size() + packet_.size); }

  Bytes tcp() const {
    net::Tcp tcp{};
    tcp.source = from_.port;
    tcp.destination = to_.port;
    tcp.sequence = kSequence;
    tcp.offset = sizeof tcp / 4 << 4;
    tcp.flags = flags_of(packet_.flags);
    if ((tcp.flags & net::kTcpAck) != 0) tcp.acknowledgement = kSequence;
    tcp.window = kWindow;
    Bytes bytes;
    append(bytes, tcp);
    pad(bytes);
    sum_up(bytes, offsetof(net::Tcp, checksum), pseudo(static_cast<uint32_t>(bytes.size())), false);
    return bytes;
  }
  Bytes udp() const {
    net::Udp udp{};
    udp.source = from_.port;
    udp.destination = to_.port;
    udp.length = static_cast<uint16_t>(sizeof udp + packet_.size);
    Bytes bytes;
    append(bytes, udp);
    pad(bytes);
    sum_up(bytes, offsetof(net::Udp, checksum), pseudo(static_cast<uint32_t>(bytes.size())), true);
    return bytes;
  }
  Bytes ping() const {
    net::Icmp icmp{};
    icmp.type = is_v4() ? net::icmp::kEchoRequest : net::icmpv6::kEchoRequest;
    icmp.echo.id = 1;
    icmp.echo.sequence = 1;
    Bytes bytes;
    append(bytes, icmp);
    pad(bytes);
    const auto length = static_cast<uint32_t>(bytes.size());
    sum_up(bytes, offsetof(net::Icmp, checksum), is_v4() ? 0 : pseudo(length), false);
    return bytes;
  }

  const DescribedPacket& packet_;
  bool has_ports_;
  End from_, to_;
};

}  // namespace

std::vector<uint8_t> frame_of(const DescribedPacket& packet) { return Writer(packet).frame(); }

std::vector<uint8_t> frame_of_hex(const std::string& text) {
  std::vector<uint8_t> bytes;
  int half = -1;
  for (const char letter : text) {
    if (std::isspace(static_cast<unsigned char>(letter)) != 0 || letter == ':') continue;
    const size_t digit =
        std::string_view("0123456789abcdef")
            .find(static_cast<char>(std::tolower(static_cast<unsigned char>(letter))));
    if (digit == std::string_view::npos) {
      throw Failure(Exit::usage, std::string("\"") + letter + "\" is no hexadecimal digit");
    }
    if (half < 0) {
      half = static_cast<int>(digit);
      continue;
    }
    bytes.push_back(static_cast<uint8_t>(half * 16 + static_cast<int>(digit)));
    half = -1;
  }
  if (half >= 0) throw Failure(Exit::usage, "an odd number of hexadecimal digits");
  return bytes;
}

}  // namespace nezu::cli
