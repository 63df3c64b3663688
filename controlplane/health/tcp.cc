#include "controlplane/health/tcp.h"

#include <sys/socket.h>

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
  if (::connect(fd.get(), peer.get(), peer.size) == 0) {
    finish_(ticket, outcome_of(0));
    return;
  }
  if (errno != EINPROGRESS) {
    finish_(ticket, outcome_of(errno));
    return;
  }
  loop_.watch(fd.get(), EPOLLOUT, [this, ticket](uint32_t) { on_ready(ticket); });
  connections_.emplace(ticket, std::move(fd));
}

void TcpProber::on_ready(Ticket ticket) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(connections_.at(ticket).get(), SOL_SOCKET, SO_ERROR, &error, &size);
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
    loop_.forget(found->second.get());
    connections_.erase(found);
  }
}

}  // namespace nezu::health
