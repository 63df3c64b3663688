#include "controlplane/health/probe.h"

#include <cctype>
#include <cerrno>
#include <system_error>

namespace nezu::health {

bool is_own_fault(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EACCES:
    case EPERM:
    case EADDRNOTAVAIL:  // no local port or no local address left
    case EAGAIN:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ENOSPC:
    case ENODEV:  // the interface is gone
      return true;
    default:
      return false;
  }
}

std::string error_text(int error) {
  std::string text = std::generic_category().message(error);
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace nezu::health
