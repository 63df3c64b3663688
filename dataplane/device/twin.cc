#include "dataplane/device/twin.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace nezu::device {
namespace {

[[noreturn]] void fail(const std::string& name, const char* what) {
  throw std::runtime_error("twin " + name + ": " + what + ": " + std::strerror(errno));
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return request;
}

/// A socket for settings of an interface.
class Settings {
 public:
  Settings() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~Settings() { ::close(socket_); }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;
  bool operator()(unsigned long what, ifreq& request) const {
    return ::ioctl(socket_, what, &request) == 0;
  }

 private:
  int socket_;
};

/// Only what differs is set: a change takes addresses of IPv6 away or wakes routing daemons.
void set_mac(const Settings& set, const std::string& name, const net::MacAddress& mac) {
  ifreq request = request_for(name);
  if (!set(SIOCGIFHWADDR, request)) fail(name, "its MAC cannot be read");
  if (std::memcmp(request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size()) == 0) return;
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size());
  if (!set(SIOCSIFHWADDR, request)) fail(name, "it does not take the port's MAC");
}

void set_mtu(const Settings& set, const std::string& name, uint16_t mtu) {
  ifreq request = request_for(name);
  if (set(SIOCGIFMTU, request) && request.ifr_mtu == mtu) return;
  request.ifr_mtu = mtu;
  if (!set(SIOCSIFMTU, request)) fail(name, "it does not take the port's MTU");
}

void set_up(const Settings& set, const std::string& name) {
  ifreq request = request_for(name);
  if (!set(SIOCGIFFLAGS, request)) fail(name, "its flags cannot be read");
  if ((request.ifr_flags & IFF_UP) != 0) return;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (!set(SIOCSIFFLAGS, request)) fail(name, "it cannot be set up");
}

}  // namespace

Twin::Twin(const std::string& name, const net::MacAddress& mac, uint16_t mtu) : name_(name) {
  if (name.size() >= IFNAMSIZ) {
    throw std::runtime_error("twin " + name + ": an interface's name has at most 15 letters; " +
                             "choose a shorter port name or --twin-prefix");
  }
  file_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (file_ < 0) fail(name, "/dev/net/tun");
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(file_, TUNSETIFF, &request) != 0) {
    fail(name, errno == EBUSY ? "another process has it" : "it cannot be made");
  }
  if (::ioctl(file_, TUNSETPERSIST, 1) != 0) fail(name, "it cannot be made persistent");
  if (::ioctl(file_, TUNSETOFFLOAD, 0) != 0) fail(name, "its offloads cannot be switched off");
  const Settings settings;
  set_mac(settings, name, mac);
  set_mtu(settings, name, mtu);
  set_up(settings, name);
  interface_ = ::if_nametoindex(name.c_str());
}

Twin::~Twin() { ::close(file_); }

void Twin::dismiss() { ::ioctl(file_, TUNSETPERSIST, 0); }

bool Twin::write(const void* buffer) {
  constexpr int kMostSegments = 16;
  iovec parts[kMostSegments];
  int count = 0;
  for (const auto* one = static_cast<const rte_mbuf*>(buffer); one != nullptr; one = one->next) {
    if (count == kMostSegments) return false;
    parts[count++] = {rte_pktmbuf_mtod(one, void*), one->data_len};
  }
  return ::writev(file_, parts, count) > 0;
}

uint32_t Twin::read(std::span<uint8_t> room) {
  const ssize_t length = ::read(file_, room.data(), room.size());
  return length > 0 ? static_cast<uint32_t>(length) : 0;
}

void Twin::set_carrier(bool up) {
  if (up == carrier_) return;
  const int value = up ? 1 : 0;
  if (::ioctl(file_, TUNSETCARRIER, &value) == 0) carrier_ = up;
}

}  // namespace nezu::device
