#include "controlplane/health/tcp.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "controlplane/health/socket_address.h"

namespace nezu::health {
namespace {

Outcome outcome_of(int error) {
  if (error == 0) {
    return {Outcome::Kind::success, "connected", 0};
  }
  const auto kind = is_own_fault(error) ? Outcome::Kind::broken : Outcome::Kind::failure;
  return {kind, error_text(error), 0};
}

/// The PROXY protocol's way to say that nobody is behind us: version 2, LOCAL, without addresses.
constexpr std::array<uint8_t, 16> kLocalHeader = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                                  0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00};

}  // namespace

TcpProber::~TcpProber() {
  while (!connections_.empty()) {
    end(connections_.begin()->first);
  }
}

void TcpProber::start(Ticket ticket, const Check& check) {
  const SocketAddress peer = socket_address(check.address, check.port);
  Descriptor fd(::socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.exists()) {
    finish_(ticket, {Outcome::Kind::broken, "no socket: " + error_text(errno), 0});
    return;
  }
  if (bind_to(fd.get(), check.interface) != 0) {
    finish_(ticket, {Outcome::Kind::broken, unbound_text(check.interface), 0});
    return;
  }
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  // Also one that is accepted at once is told by its event.
  if (::connect(fd.get(), peer.get(), peer.size) != 0 && errno != EINPROGRESS) {
    finish_(ticket, outcome_of(errno));
    return;
  }
  loop_.watch(fd.get(), EPOLLOUT, [this, ticket](uint32_t) { on_ready(ticket); });
  connections_.emplace(ticket, Connection{std::move(fd), check.proxy_protocol});
}

void TcpProber::on_ready(Ticket ticket) {
  int error = 0;
  socklen_t size = sizeof error;
  const Connection& connection = connections_.at(ticket);
  ::getsockopt(connection.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0 && connection.sends_header &&
      ::send(connection.socket.get(), kLocalHeader.data(), kLocalHeader.size(), MSG_NOSIGNAL) < 0) {
    error = errno;
  }
  end(ticket);
  finish_(ticket, outcome_of(error));
}

Outcome TcpProber::abandon(Ticket ticket) {
  end(ticket);
  return {Outcome::Kind::failure, "no answer to the connection attempt", 0};
}

void TcpProber::end(Ticket ticket) {
  const auto found = connections_.find(ticket);
  if (found != connections_.end()) {
    loop_.forget(found->second.socket.get());
    connections_.erase(found);
  }
}

}  // namespace nezu::health
