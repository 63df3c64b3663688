// An address and port in the form that the kernel's socket calls take.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "dataplane/net/address.h"

namespace nezu::health {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

inline SocketAddress socket_address(const net::Address& address, uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = address.v4_raw();
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), address.bytes.size());
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

/// Sends and hears by this interface only, a VRF or another one; needs no privilege on a new socket
/// (Linux 5.7). Empty: by any. An errno, 0 when it is done.
inline int bind_to(int fd, const std::string& interface) {
  if (interface.empty()) {
    return 0;
  }
  const auto size = static_cast<socklen_t>(interface.size());
  return ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.data(), size) == 0 ? 0 : errno;
}

/// What a person is told when that failed.
inline std::string unbound_text(const std::string& interface) {
  return "no interface " + interface +
         ": checks of a network instance go by a VRF of its name (or an interface with that "
         "altname)";
}

}  // namespace nezu::health
