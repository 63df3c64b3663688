// A network namespace of the test's own, and raw access to its interfaces. Needs root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nezu::device {

using Bytes = std::vector<uint8_t>;

/// Moves the calling thread (and those it makes) into a new network namespace.
void enter_own_network();
/// A command that must succeed.
void sh(const std::string& command);

/// Sends and receives whole frames on an interface.
class Wire {
 public:
  explicit Wire(const std::string& interface);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  void send(const Bytes& frame);
  /// The next frame that this end did not send; nothing within `milliseconds`.
  std::optional<Bytes> receive(int milliseconds = 1000);

 private:
  int socket_ = -1;
};

/// Calls until it returns something, for at most two seconds.
template <typename Try>
auto eventually(Try once) -> decltype(once());

/// An Ethernet frame with a type that nothing here knows.
Bytes frame_to(const std::string& mac, uint8_t mark, size_t length = 60);

}  // namespace nezu::device

#include <time.h>

template <typename Try>
auto nezu::device::eventually(Try once) -> decltype(once()) {
  for (int i = 0; i < 400; ++i) {
    if (auto value = once()) return value;
    const timespec pause{0, 5'000'000};
    nanosleep(&pause, nullptr);
  }
  return {};
}
