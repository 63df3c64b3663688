// A twin: the kernel's TAP interface that mirrors a port. Addresses, routes, routing daemons, sshd
// and health checks live there.
//
// Persistent: unless it is dismissed, it outlives this process with its addresses and routes. Has
// the port's MAC, MTU and carrier. Without offloads, so that the kernel gives us whole frames with
// whole sums. The housekeeper's only.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "dataplane/net/address.h"

namespace nezu::device {

class Twin {
 public:
  /// Makes it in the network namespace of this process, or finds it as it was left. Throws
  /// std::runtime_error with a sentence.
  Twin(const std::string& name, const net::MacAddress& mac, uint16_t mtu);
  ~Twin();
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;

  /// It goes, with its addresses and routes, when this object does.
  void dismiss();

  const std::string& name() const { return name_; }
  uint32_t interface() const { return interface_; }

  /// A buffer that came from a port. False: the kernel does not take it now.
  bool write(const void* buffer);
  /// A frame that the kernel sends; 0 when there is none.
  uint32_t read(std::span<uint8_t> room);
  void set_carrier(bool up);

 private:
  std::string name_;
  int file_ = -1;
  uint32_t interface_ = 0;
  bool carrier_ = true;
};

}  // namespace nezu::device
