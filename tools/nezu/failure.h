// How a command ends: exit codes, and the exception that carries one with its sentence.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace nezu::cli {

/// Documented in nezu.1; scripts rely on them.
enum class Exit : int {
  ok = 0,
  refused = 1,      ///< the request was understood and refused; nothing was changed
  usage = 2,        ///< the command line or a file cannot be understood
  unreachable = 3,  ///< no control plane answered, or it has no data plane to ask
  not_found = 4,    ///< a named object does not exist
  conflict = 5,     ///< the configuration is at another revision than expected
  incomplete = 6,   ///< time ran out before the end (drain --wait, flows)
  internal = 7,     ///< the control plane or this program failed
};

class Failure : public std::runtime_error {
 public:
  /// `details` are printed below, one a line.
  Failure(Exit exit, const std::string& text, std::vector<std::string> details = {})
      : std::runtime_error(text), exit_(exit), details_(std::move(details)) {}
  Exit exit() const { return exit_; }
  const std::vector<std::string>& details() const { return details_; }

 private:
  Exit exit_;
  std::vector<std::string> details_;
};

}  // namespace nezu::cli
