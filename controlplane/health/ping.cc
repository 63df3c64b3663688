#include "controlplane/health/ping.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "controlplane/health/socket_address.h"

namespace nezu::health {
namespace {

constexpr uint8_t kEchoRequest4 = 8;
constexpr uint8_t kEchoReply4 = 0;
constexpr uint8_t kEchoRequest6 = 128;
constexpr uint8_t kEchoReply6 = 129;

/// As on the wire; both families have the same form.
struct Echo {
  uint8_t type = 0;
  uint8_t code = 0;
  uint16_t checksum = 0;
  uint16_t identifier = 0;
  uint16_t sequence = 0;
  uint64_t cookie = 0;
  std::array<uint8_t, 48> padding{};  // 64 bytes in all, as ping(8) sends
};
static_assert(sizeof(Echo) == 64);

/// RFC 1071. ICMPv6 sums are the kernel's business on every kind of socket.
uint16_t checksum(const Echo& echo) {
  std::array<uint16_t, sizeof(Echo) / 2> words;
  std::memcpy(words.data(), &echo, sizeof echo);
  uint32_t sum = 0;
  for (const uint16_t word : words) {
    sum += word;
  }
  sum = (sum & 0xffff) + (sum >> 16);
  sum += sum >> 16;
  return static_cast<uint16_t>(~sum);
}

void keep_only_echo_replies(int fd, bool ipv6) {
  if (ipv6) {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(kEchoReply6, &filter);
    ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  } else {
    icmp_filter filter{.data = ~(1u << kEchoReply4)};
    ::setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  }
}

net::Address address_of(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    return net::Address::v4_raw(reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr);
  }
  return net::Address::v6(&reinterpret_cast<const sockaddr_in6&>(from).sin6_addr);
}

}  // namespace

PingProber::PingProber(Loop& loop, Finish finish, uint64_t seed)
    : loop_(loop),
      finish_(std::move(finish)),
      random_(seed),
      identifier_(static_cast<uint16_t>(random_())),
      next_sequence_(static_cast<uint16_t>(random_())) {}

PingProber::~PingProber() {
  for (auto& [way, channel] : channels_) {
    close(channel);
  }
}

void PingProber::close(Channel& channel) {
  if (channel.fd.exists()) {
    loop_.forget(channel.fd.get());
    channel.fd = Descriptor();
  }
}

std::string PingProber::open(Channel& channel, const Way& way) {
  if (channel.fd.exists()) {
    return {};
  }
  const bool ipv6 = way.second;
  const int family = ipv6 ? AF_INET6 : AF_INET;
  const int protocol = ipv6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  Descriptor fd(::socket(family, SOCK_DGRAM | kFlags, protocol));
  const bool raw = !fd.exists();
  if (raw) {
    fd = Descriptor(::socket(family, SOCK_RAW | kFlags, protocol));
    if (!fd.exists()) {
      const int error = errno;
      return "no ICMP socket: " + error_text(error) +
             (error == EACCES || error == EPERM
                  ? " (give CAP_NET_RAW or widen net.ipv4.ping_group_range)"
                  : "");
    }
    keep_only_echo_replies(fd.get(), ipv6);
  }
  if (bind_to(fd.get(), way.first) != 0) {
    return unbound_text(way.first);
  }
  const int room = 1 << 20;  // thousands of answers may come at once
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  channel.raw = raw;
  channel.ipv6 = ipv6;
  loop_.watch(fd.get(), EPOLLIN, [this, &channel](uint32_t) { on_ready(channel); });
  channel.fd = std::move(fd);
  return {};
}

void PingProber::start(Ticket ticket, const Check& check) {
  const bool ipv6 = !check.address.is_v4();
  const Way way{check.interface, ipv6};
  Channel& channel = channels_[way];
  if (std::string why = open(channel, way); !why.empty()) {
    finish_(ticket, {Outcome::Kind::broken, std::move(why), 0});
    return;
  }
  if (waiting_.size() >= 0xffff) {
    finish_(ticket, {Outcome::Kind::broken, "all ICMP sequence numbers are in use", 0});
    return;
  }
  while (waiting_.contains(next_sequence_)) {
    ++next_sequence_;
  }
  const uint16_t sequence = next_sequence_++;
  Echo echo;
  echo.type = ipv6 ? kEchoRequest6 : kEchoRequest4;
  echo.identifier = identifier_;  // the kernel puts its own on ping sockets
  echo.sequence = sequence;
  echo.cookie = random_();
  if (!ipv6) {
    echo.checksum = checksum(echo);
  }
  const SocketAddress peer = socket_address(check.address, 0);
  if (::sendto(channel.fd.get(), &echo, sizeof echo, 0, peer.get(), peer.size) < 0) {
    const int error = errno;
    if (!check.interface.empty()) {
      close(channel);  // it may be another interface by now: bound anew the next time
    }
    const auto kind = is_own_fault(error) ? Outcome::Kind::broken : Outcome::Kind::failure;
    finish_(ticket, {kind, error_text(error), 0});
    return;
  }
  waiting_.emplace(sequence, Waiting{ticket, check.address, echo.cookie});
  sequence_of_.emplace(ticket, sequence);
}

void PingProber::on_ready(Channel& channel) {
  std::array<uint8_t, 2048> bytes;
  for (;;) {
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const auto got = ::recvfrom(channel.fd.get(), bytes.data(), bytes.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0) {
      return;
    }
    const uint8_t* message = bytes.data();
    size_t size = static_cast<size_t>(got);
    if (channel.raw && !channel.ipv6) {  // only these come with their IP header
      const size_t header = size == 0 ? 0 : static_cast<size_t>(bytes[0] & 0x0f) * 4;
      if (size < sizeof(iphdr) || header > size) {
        continue;
      }
      message += header;
      size -= header;
    }
    on_answer(channel, message, size, address_of(from));
  }
}

void PingProber::on_answer(const Channel& channel, const uint8_t* bytes, size_t size,
                           const net::Address& sender) {
  Echo echo;
  if (size < sizeof echo) {
    return;
  }
  std::memcpy(&echo, bytes, sizeof echo);
  if (echo.type != (channel.ipv6 ? kEchoReply6 : kEchoReply4)) {
    return;
  }
  const auto found = waiting_.find(echo.sequence);
  if (found == waiting_.end() || found->second.cookie != echo.cookie ||
      found->second.peer != sender) {
    return;  // too late, or another program's
  }
  const Ticket ticket = found->second.ticket;
  waiting_.erase(found);
  sequence_of_.erase(ticket);
  finish_(ticket, {Outcome::Kind::success, "echo reply", size});
}

Outcome PingProber::abandon(Ticket ticket) {
  if (const auto found = sequence_of_.find(ticket); found != sequence_of_.end()) {
    waiting_.erase(found->second);
    sequence_of_.erase(found);
  }
  return {Outcome::Kind::failure, "no echo reply", 0};
}

}  // namespace nezu::health
