// Routes, addresses and neighbours as they were last mirrored, kept for the next start: a restart
// forwards by them until the kernel has been asked.
//
// Text, one fact a line, links by their names (front, front.10). Written as a whole under another
// name and renamed. A file that cannot be read whole counts as none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataplane/device/netlink.h"

namespace nezu::dataplane {

/// `names`: by link.
std::string to_text(const device::KernelState& state, const std::vector<std::string>& names);
/// Facts about ports that are no longer there are left out.
std::optional<device::KernelState> parse_state(const std::string& text,
                                               const std::vector<std::string>& names);

std::optional<device::KernelState> load_state(const std::string& path,
                                              const std::vector<std::string>& names);
bool save_state(const std::string& path, const device::KernelState& state,
                const std::vector<std::string>& names);

}  // namespace nezu::dataplane
